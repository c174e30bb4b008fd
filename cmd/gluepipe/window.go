package main

import "time"

// windowSpan is how far back a rate looks: far enough to be calm, not so far that the start of the run still counts.
const windowSpan = 30 * time.Second

// window measures a rate over the last [windowSpan]. The zero value is ready to use.
type window struct{ samples []sample }

type sample struct {
	at   time.Time
	done int
}

// add takes a sample. Samples come in the order of time.
func (w *window) add(at time.Time, done int) {
	w.samples = append(w.samples, sample{at, done})
	// The sample before the window's start stays, as its base.
	for len(w.samples) > 2 && at.Sub(w.samples[1].at) >= windowSpan {
		w.samples = w.samples[1:]
	}
}

// rate returns how many per second finished within the window, or 0 where there is nothing to tell.
func (w *window) rate() float64 {
	if len(w.samples) < 2 {
		return 0
	}
	first, last := w.samples[0], w.samples[len(w.samples)-1]
	span := last.at.Sub(first.at)
	if span < time.Second {
		return 0 // too short to tell
	}
	return float64(last.done-first.done) / span.Seconds()
}
