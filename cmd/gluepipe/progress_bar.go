package main

import (
	"io"
	"sync"
	"time"

	"github.com/vbauerster/mpb/v8"
	"github.com/vbauerster/mpb/v8/decor"
)

// drawInterval is the time between two states of the bar.
const drawInterval = 100 * time.Millisecond

// bar draws a progress bar on a terminal. Lines written meanwhile appear above it.
type bar struct {
	*tracker
	out      *syncWriter // for when there is no bar
	terminal io.Writer
	done     chan struct{}
	running  sync.WaitGroup

	display sync.RWMutex
	lines   *mpb.Progress // nil when there is no bar
}

func newBar(out *syncWriter, terminal io.Writer) *bar {
	return &bar{tracker: newTracker(), out: out, terminal: terminal, done: make(chan struct{})}
}

func (b *bar) start(inFlight func() int) {
	b.begin(inFlight)
	// Refreshing by itself is what mpb does on a terminal anyway.
	lines := mpb.New(mpb.WithOutput(b.terminal), mpb.WithAutoRefresh(), mpb.WithRefreshRate(drawInterval))
	drawn := lines.New(0, mpb.BarStyle().Rbound("] "),
		mpb.BarWidth(20),
		mpb.AppendDecorators(decor.Any(func(decor.Statistics) string { return b.status(time.Now()) })))
	b.setLines(lines)
	b.running.Go(func() {
		ticker := time.NewTicker(drawInterval)
		defer ticker.Stop()
		for {
			b.draw(drawn)
			select {
			case <-ticker.C:
			case <-b.done:
				b.draw(drawn)
				drawn.Abort(false) // the last state stays on the screen
				lines.Wait()
				return
			}
		}
	})
}

func (b *bar) draw(drawn *mpb.Bar) {
	done, total := b.counts()
	if total > 0 {
		drawn.SetTotal(int64(total), false)
	}
	drawn.SetCurrent(int64(done))
}

func (b *bar) setLines(lines *mpb.Progress) {
	b.display.Lock()
	defer b.display.Unlock()
	b.lines = lines
}

func (b *bar) Write(p []byte) (int, error) {
	b.display.RLock()
	defer b.display.RUnlock()
	if b.lines != nil {
		// A terminal echoes Ctrl-C as "^C", and leaves the cursor behind it: the bar is drawn from the line's beginning.
		_, _ = io.WriteString(b.terminal, "\r")
		if _, err := b.lines.Write([]byte(forPeople(p))); err == nil {
			return len(p), nil
		}
	}
	return b.out.Write(p)
}

func (b *bar) close() {
	b.display.RLock()
	shown := b.lines != nil
	b.display.RUnlock()
	if !shown {
		return
	}
	b.setLines(nil)
	close(b.done)
	b.running.Wait()
}
