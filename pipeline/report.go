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
	gauges
	begin time.Time
	total int

	mu   sync.Mutex
	last Progress

	stop chan struct{}
	wg   sync.WaitGroup
}

// gauges tell how things stand at any time, where deliveries tell how they stood then.
type gauges struct {
	inFlight func() int
	paused   func() time.Duration
	slowest  func(n int) []stages.InFlight
}

func (g *gauges) read(p *Progress) {
	p.InFlight, p.Paused, p.Slowest = g.inFlight(), g.paused(), g.slowest(maxSlowest)
}

func newReporter(config *Config, src batch.Source, gauges gauges) *reporter {
	r := &reporter{
		onProgress: config.OnProgress, gauges: gauges,
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
		Elapsed: time.Since(r.begin),
	}
	r.read(&p)
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
	p.Elapsed = time.Since(r.begin)
	r.read(&p)
	fmt.Fprintln(w, "gluepipe:", p)
}

func (r *reporter) close() {
	close(r.stop)
	r.wg.Wait()
}
