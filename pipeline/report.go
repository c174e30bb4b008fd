package pipeline

import (
	"fmt"
	"io"
	"os"
	"sync"
	"time"

	"github.com/gluepipe/gluepipe/stages"
	"github.com/gluepipe/gluepipe/stages/batch"
)

// progressEvery is the time between the lines of ShowProgress.
const progressEvery = 5 * time.Second

// maxSlowest is how many requests are named that a run waits for.
const maxSlowest = 3

// reporter tells how far a run is.
type reporter struct {
	onProgress func(Progress)
	inFlight   func() int
	slowest    func(n int) []stages.InFlight
	begin      time.Time
	total      int

	mu   sync.Mutex
	last Progress

	stop chan struct{}
	wg   sync.WaitGroup
}

func newReporter(
	config *Config, src batch.Source, inFlight func() int, slowest func(n int) []stages.InFlight,
) *reporter {
	r := &reporter{
		onProgress: config.OnProgress, inFlight: inFlight, slowest: slowest,
		begin: time.Now(), total: -1, stop: make(chan struct{}),
	}
	if sized, ok := src.(interface{ Len() int }); ok {
		r.total = sized.Len()
	}
	r.last.Total = r.total
	if config.ShowProgress {
		r.wg.Go(func() { r.print(os.Stderr) })
	}
	return r
}

// update is called with the counts so far, from one goroutine.
func (r *reporter) update(s *batch.Summary) {
	p := Progress{
		Total: r.total, Taken: s.TotalRequests, Succeeded: s.SuccessfulRequests,
		Failed: s.FailedRequests - s.UnfinishedRequests, Unfinished: s.UnfinishedRequests,
		InFlight: r.inFlight(), Elapsed: time.Since(r.begin), Slowest: r.slowest(maxSlowest),
	}
	for _, n := range s.DroppedRequests {
		p.Dropped += n
	}
	p.Done = p.Succeeded + p.Failed + p.Dropped
	p.TokensUsed.Add(s.TotalTokensUsed)
	r.mu.Lock()
	r.last = p
	r.mu.Unlock()
	if r.onProgress != nil {
		r.onProgress(p)
	}
}

func (r *reporter) print(w io.Writer) {
	ticker := time.NewTicker(progressEvery)
	defer ticker.Stop()
	for {
		select {
		case <-ticker.C:
			r.printLine(w)
		case <-r.stop:
			r.printLine(w)
			return
		}
	}
}

func (r *reporter) printLine(w io.Writer) {
	r.mu.Lock()
	p := r.last
	r.mu.Unlock()
	p.InFlight, p.Elapsed, p.Slowest = r.inFlight(), time.Since(r.begin), r.slowest(maxSlowest)
	fmt.Fprintln(w, "gluepipe:", p)
}

func (r *reporter) close() {
	close(r.stop)
	r.wg.Wait()
}
