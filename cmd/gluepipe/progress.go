package main

import (
	"fmt"
	"io"
	"strings"
	"sync"
	"time"

	"github.com/gluepipe/gluepipe/pipeline"
)

// A reporter shows how far a run is. It is also where logs and notes are written meanwhile, so that they don't tear what it
// shows. All its methods may be called by several goroutines at once.
type reporter interface {
	io.Writer
	// start begins the display. Until then, and after close, the reporter is only a writer. inFlight tells how many calls are
	// in flight at any time, where what is observed tells how many were at the last delivery.
	start(inFlight func() int)
	observe(pipeline.Progress)
	setTotal(n int)
	// close ends the display and waits for it.
	close()
}

// newReporter returns the reporter of a progress mode. What is written to it becomes [messages].
func newReporter(mode string, stderr io.Writer) reporter {
	terminal := isTerminal(stderr)
	out := &syncWriter{out: messages{stderr}}
	switch {
	case mode == "none":
		return quiet{out, newTracker()}
	case mode == "bar" && terminal, mode == "auto" && terminal:
		return newBar(out, stderr)
	}
	return newPlain(out)
}

// quiet shows nothing.
type quiet struct {
	*syncWriter
	*tracker
}

func (quiet) start(func() int) {}
func (quiet) close()           {}

// syncWriter lets several goroutines write whole lines.
type syncWriter struct {
	mu  sync.Mutex
	out io.Writer
}

func (w *syncWriter) Write(p []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.out.Write(p)
}

// tracker holds what a reporter knows.
type tracker struct {
	mu       sync.Mutex
	latest   pipeline.Progress
	total    int // -1 until it is known
	recent   window
	inFlight func() int // nil until the display begins
}

func newTracker() *tracker { return &tracker{total: -1} }

// begin is where the rate is measured from.
func (t *tracker) begin(inFlight func() int) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.inFlight = inFlight
	t.recent.add(time.Now(), 0)
}

func (t *tracker) observe(p pipeline.Progress) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.latest = p
	if t.total < 0 {
		t.total = p.Total
	}
}

func (t *tracker) setTotal(n int) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.total = n
}

func (t *tracker) counts() (done, total int) {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.latest.Done, t.total
}

// status returns the state of the run now, in the words of [progressText].
func (t *tracker) status(now time.Time) string {
	t.mu.Lock()
	defer t.mu.Unlock()
	p := t.latest
	p.Total = t.total
	if t.inFlight != nil {
		p.InFlight = t.inFlight()
	}
	// What an earlier run has done says nothing about how fast this one is.
	t.recent.add(now, p.Done-p.Dropped)
	return progressText(p, t.recent.rate())
}

// progressText tells how far a run is: 1,234/20,000 done (6.2%), 3 failed, 64 in flight, 410/s, 1.2M tokens, ETA 46s, and what
// takes longest. What is most telling comes first: a narrow terminal cuts the rest.
func progressText(p pipeline.Progress, perSecond float64) string {
	var b strings.Builder
	b.WriteString(commas(p.Done))
	if p.Total > 0 {
		fmt.Fprintf(&b, "/%s done (%.1f%%)", commas(p.Total), 100*float64(p.Done)/float64(p.Total))
	} else {
		b.WriteString(" done")
	}
	if p.Failed > 0 {
		fmt.Fprintf(&b, ", %s failed", commas(p.Failed))
	}
	fmt.Fprintf(&b, ", %s in flight", commas(p.InFlight))
	if paused := p.Paused.Round(time.Second); paused > 0 {
		b.WriteString(", calls wait " + paused.String())
		p.Slowest = nil // which wait for the same
	}
	if perSecond > 0 {
		b.WriteString(", " + pace(perSecond))
	}
	if p.TokensUsed.Total > 0 {
		b.WriteString(", " + compact(p.TokensUsed.Total) + " tokens")
	}
	if left := p.Total - p.Done; perSecond > 0 && left > 0 {
		// Until the pause is over, nothing goes on at that pace.
		eta := p.Paused + time.Duration(float64(left)/perSecond*float64(time.Second))
		b.WriteString(", ETA " + roughly(max(eta, time.Second).Round(time.Second)))
	}
	for i, request := range p.Slowest {
		if i == 0 {
			b.WriteString(", slowest: " + request.String())
		} else {
			b.WriteString(", " + request.String())
		}
	}
	return b.String()
}
