package llm

import (
	"math"
	"time"
)

const (
	// rampUp is how long it takes, where no 429 comes, until all calls may be in flight. Calls that are answered make it
	// shorter.
	rampUp = 250 * time.Millisecond
	// catchUp is how much of its pace a call that starts late, because a timer was late, may leave to those that follow.
	catchUp = 50 * time.Millisecond
	// aheadBy is how long a call goes ahead alone, if it is not answered before: a 429 comes at once.
	aheadBy = 50 * time.Millisecond
	// The bounds are back after so many steps, and then dare more and more.
	back, bolder, boldest = 3, 10, 15
	// poll is how often a call that waits for the bound to grow looks again.
	poll = 5 * time.Millisecond
)

// adaptive learns from 429s how much a provider bears, and keeps to it: how many calls in flight, and how many a second. One
// of them alone would not do: a few calls in flight can break a limit of requests a minute if they are short, and a pace says
// little where some calls take a hundred times as long as others.
//
// Each incident cuts both, once, to nine tenths of what is borne. From then on they grow: back to the whole within 3 seconds,
// from 10 on a little above it, and from 15 on faster and faster, until some 40 seconds without another incident hold nothing
// back any more. Where calls are few, all that takes up to ten times as long, lest every tenth be refused. What is borne is
// taken to be less only where the next incident comes before the bounds are back: any later one may be a mood of the
// provider's.
type adaptive struct {
	max   int       // calls in flight
	began time.Time // the first call; zero: none has
	quick int       // calls answered during the ramp-up, each of which lets one more start
	open  bool      // nothing is held back

	since    time.Time // when what is borne was last measured
	admitted int       // calls begun since, and not refused
	spans    [2]span   // of the last few seconds of that, the newer first
	peak     int       // most calls in flight at which one was admitted, since
	alone    bool      // a call that went ahead alone was refused, since

	incident time.Time // begun, and to be measured when its pause is over; zero: none
	cut      time.Time // when the bounds were last cut; zero: never, or they have grown back
	rate     float64   // calls a second that are borne; 0: unknown
	window   float64   // calls in flight that are
	sure     bool      // more is not borne than that
	steady   int       // incidents in a row that came after the bounds were back
	next     time.Time // when the next call may start, by the rate
}

// firstCalls is how many calls of a run may start at once.
func (a *adaptive) firstCalls() int { return min(a.max, max(4, a.max/16)) }

// wait returns how long a call must wait for what was learned. It is called when no pause is on.
func (a *adaptive) wait(now time.Time, inFlight int) hold {
	if a.open {
		return hold{}
	}
	if !a.incident.IsZero() {
		a.measure(now, inFlight)
	}
	if inFlight >= a.bound(now) {
		return hold{wait: poll}
	}
	if wait := a.next.Sub(now); wait > 0 {
		return hold{wait: wait, limited: true}
	}
	return hold{}
}

// bound returns how many calls may be in flight.
func (a *adaptive) bound(now time.Time) int {
	switch {
	case !a.cut.IsZero():
		growth := a.growth(now)
		if growth < 10 {
			return between(1, int(math.Round(a.window*growth)), a.max)
		}
		a.cut, a.rate, a.window, a.sure = time.Time{}, 0, 0, false
	case a.began.IsZero():
		return a.firstCalls()
	default:
		grown := float64(a.firstCalls()+a.quick) + float64(a.max)*float64(now.Sub(a.began))/float64(rampUp)
		if grown < float64(a.max) {
			return int(grown)
		}
	}
	a.open = true
	return a.max
}

// steps counts the steps in which the bounds grow: of a second, or longer where calls are few.
func (a *adaptive) steps(at time.Time) float64 {
	step := 1.0
	if a.rate > 0 {
		step = between(1, 10/a.rate, 10)
	}
	return at.Sub(a.cut).Seconds() / step
}

// growth is what share of what is borne may be tried at a time.
func (a *adaptive) growth(at time.Time) float64 {
	const daring, bold = 0.01, 1.1 // a step
	switch steps := a.steps(at); {
	case steps < back:
		return 0.9 + 0.1*steps/back
	case !a.sure:
		return math.Pow(bold, steps-back)
	case steps < bolder:
		return 1
	case steps < boldest:
		return 1 + daring*(steps-bolder)
	default:
		return (1 + daring*(boldest-bolder)) * math.Pow(bold, steps-boldest)
	}
}

// started notes a call that starts now.
func (a *adaptive) started(now time.Time) {
	if a.began.IsZero() {
		a.began = now
		a.begin(now)
	}
	a.count(now, 1)
	switch {
	case a.rate > 0:
		if earliest := now.Add(-catchUp); a.next.Before(earliest) {
			a.next = earliest
		}
		a.next = a.next.Add(time.Duration(float64(time.Second) / (a.rate * a.growth(now))))
	case a.probing(now):
		a.next = now.Add(aheadBy)
	}
}

// probing tells that an incident is just over and no pace is known: one call after the other goes ahead.
func (a *adaptive) probing(now time.Time) bool {
	return !a.cut.IsZero() && a.rate == 0 && now.Sub(a.since) < rampUp
}

// refused notes a 429. first says that it begins a pause.
func (a *adaptive) refused(now time.Time, first bool) {
	if a.admitted > 0 {
		a.count(now, -1)
	}
	if first {
		a.alone = a.alone || a.probing(now)
		a.incident, a.open = now, false
	}
}

// borne notes a call that was not refused. level is how many were in flight when it started, itself included.
func (a *adaptive) borne(level int) {
	a.peak = max(a.peak, level)
	if a.rate == 0 {
		a.next = time.Time{}
	}
	if !a.open {
		a.quick++
	}
}

// measure cuts the bounds after an incident. It waits for the pause's end: only then have all calls that were refused come
// back, and what is in flight is what the provider bears.
func (a *adaptive) measure(now time.Time, inFlight int) {
	elapsed := now.Sub(a.since)
	rate, window := float64(a.admitted)/elapsed.Seconds(), float64(max(a.peak, inFlight))
	recent := a.recent(now)
	switch {
	case a.cut.IsZero():
		// What came before was a burst: it says little about the pace.
		rate = 0
		a.begin(now)
	case a.admitted == 0, elapsed < rampUp:
		// The incident before goes on.
		rate, window = a.rate, a.window
	case a.steps(a.incident) < back:
		// Not even as much was borne. A single measurement may be off.
		window = between(a.window/2, window, a.window)
		switch {
		case a.rate > 0:
			rate, a.sure, a.steady = between(a.rate/2, rate, a.rate), true, 0
		case !a.alone && elapsed < time.Second:
			rate = 0 // the calls that went ahead alone were borne: it may be their number
		}
		a.begin(now)
	case !a.sure, recent > 1.5*rate:
		// The bounds were too low, and have only now grown to what is borne.
		rate, window, a.sure = max(rate, a.rate, recent), max(window, a.window), true
		a.begin(now)
	default:
		// As much was borne, and a little more may be: refusals that come by the clock mustn't keep the rate where it is.
		a.steady++
		rate, window = max(rate, a.rate*(1+0.01*float64(a.steady))), max(window, a.window)
		a.begin(now)
	}
	a.rate, a.window = rate, max(window, 1)
	a.cut, a.next, a.incident = now, now, time.Time{}
}

// begin begins another measurement.
func (a *adaptive) begin(now time.Time) {
	a.since, a.admitted, a.peak, a.alone = now, 0, 0, false
	a.spans = [2]span{{begin: now}}
}

// span counts the calls admitted in some seconds.
type span struct {
	begin    time.Time
	admitted int
}

// count counts n calls admitted, or fewer, in the span that is now.
func (a *adaptive) count(now time.Time, n int) {
	a.admitted += n
	if now.Sub(a.spans[0].begin) >= 2*time.Second {
		a.spans = [2]span{{begin: now}, a.spans[0]}
	}
	a.spans[0].admitted += n
}

// recent returns how many calls a second were admitted in the last two to four seconds; 0 if it is too early to tell.
func (a *adaptive) recent(now time.Time) float64 {
	if a.spans[1].begin.IsZero() {
		return 0
	}
	return float64(a.spans[0].admitted+a.spans[1].admitted) / now.Sub(a.spans[1].begin).Seconds()
}

func between[T int | float64](low, x, high T) T { return min(max(low, x), high) }
