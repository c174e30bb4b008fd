package main

import (
	"io"
	"sync/atomic"
	"time"

	"github.com/vbauerster/mpb/v8"
	"github.com/vbauerster/mpb/v8/decor"

	"github.com/gluepipe/gluepipe/pipeline"
)

// bar draws a progress bar on a terminal. Lines written meanwhile appear above it.
type bar struct {
	*tracker
	out      io.Writer // beneath the bar, for when it has ended
	progress *mpb.Progress
	bar      *mpb.Bar
	drawn    atomic.Int64 // when, in Unix nanoseconds
	closed   atomic.Bool
}

// drawInterval spares a fast run the hand-over to the bar for every request.
const drawInterval = 100 * time.Millisecond

func newBar(out, terminal io.Writer) *bar {
	b := &bar{tracker: newTracker(), out: out}
	// Auto refresh is what mpb does on a terminal anyway.
	b.progress = mpb.New(mpb.WithOutput(terminal), mpb.WithAutoRefresh())
	b.bar = b.progress.New(0, mpb.BarStyle().Rbound("] "),
		mpb.BarWidth(20),
		mpb.AppendDecorators(decor.Any(func(decor.Statistics) string {
			return b.status(time.Now())
		})))
	return b
}

func (b *bar) observe(p pipeline.Progress) {
	b.tracker.observe(p)
	now := time.Now().UnixNano()
	if drawn := b.drawn.Load(); now-drawn >= int64(drawInterval) && b.drawn.CompareAndSwap(drawn, now) {
		b.draw()
	}
}

func (b *bar) setTotal(n int) {
	b.tracker.setTotal(n)
	b.draw()
}

func (b *bar) draw() {
	b.mu.Lock()
	done, total := int64(b.latest.Done), int64(b.total)
	b.mu.Unlock()
	if total > 0 {
		b.bar.SetTotal(total, false)
	}
	b.bar.SetCurrent(done)
}

func (b *bar) Write(p []byte) (int, error) {
	if !b.closed.Load() {
		if n, err := b.progress.Write(p); err == nil {
			return n, nil
		}
	}
	return b.out.Write(p)
}

// close leaves the bar's last state on the screen.
func (b *bar) close() {
	if b.closed.Swap(true) {
		return
	}
	b.draw()
	b.bar.Abort(false)
	b.progress.Wait()
}
