package pipeline_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"github.com/gluepipe/gluepipe/pipeline"
	"github.com/gluepipe/gluepipe/stages/batch"
)

// soakRun is one run of a processor that is soaked. It is its own source and sink.
type soakRun struct {
	t        *testing.T
	name     string
	n        int // requests
	drains   bool
	failFast bool
	failAt   int // the Write that fails; 0: none

	mu      sync.Mutex
	taken   int
	writes  int
	acks    map[string][]bool
	results []*batch.Result
}

var (
	errSoakDisk   = errors.New("the disk is full")
	errSoakCancel = errors.New("cancelled by the test")
)

func (s *soakRun) Next(ctx context.Context) (*batch.Item, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.taken == s.n || ctx.Err() != nil {
		return nil, io.EOF
	}
	id := fmt.Sprintf("%s-%d", s.name, s.taken)
	s.taken++
	return &batch.Item{Request: &batch.Request{ID: id, UserMessage: id}, Ack: func(done bool) {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.acks[id] = append(s.acks[id], done)
	}}, nil
}

type soakSource struct{ *soakRun }

func (soakSource) Close() error { return nil }

func (s *soakRun) Write(_ context.Context, results []*batch.Result) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.writes++
	if s.writes == s.failAt {
		return errSoakDisk
	}
	s.results = append(s.results, results...)
	return nil
}

func (s *soakRun) Close(context.Context) error { return nil }

// run runs it in one of the ways there are, and checks that each request ended exactly once.
func (s *soakRun) run(p *pipeline.BatchProcessor) {
	ctx, cancel := context.WithCancelCause(s.t.Context())
	defer cancel(nil)
	switch rand.IntN(6) {
	case 0:
		timer := time.AfterFunc(rand.N(200*time.Millisecond), func() { cancel(errSoakCancel) })
		defer timer.Stop()
	case 1:
		deadline, stop := context.WithTimeoutCause(ctx, rand.N(200*time.Millisecond), errSoakCancel)
		defer stop()
		ctx = deadline
	}
	switch rand.IntN(5) {
	case 0:
		s.stream(ctx, p)
		return
	case 1:
		s.failAt = 1 + rand.IntN(10)
	}
	summary, err := p.Run(ctx, soakSource{s}, s)
	s.checkEnd(err)
	s.checkResults(func(r *batch.Result) bool { return !r.Unfinished() })
	if got := summary.SuccessfulRequests + summary.FailedRequests; got != s.taken || summary.TotalRequests != s.taken {
		s.problem("%d requests were taken; the summary: %+v", s.taken, *summary)
	}
	if finished := summary.SuccessfulRequests + summary.FailedRequests - summary.UnfinishedRequests; finished != len(s.results) {
		s.problem("%d requests finished, %d results written", finished, len(s.results))
	}
	if err == nil && !s.drains && len(s.results) != s.n {
		s.problem("no error, and yet %d of %d results", len(s.results), s.n)
	}
}

// stream ranges over the results and leaves the loop early, or not.
func (s *soakRun) stream(ctx context.Context, p *pipeline.BatchProcessor) {
	enough := 1 + rand.IntN(2*s.n+1)
	for result, err := range p.Stream(ctx, soakSource{s}) {
		if err != nil {
			s.checkEnd(err)
			break
		}
		s.results = append(s.results, result)
		if len(s.results) == enough {
			break
		}
	}
	if len(s.results) == enough { // the last one was not acknowledged
		s.results = s.results[:enough-1]
	}
	s.checkResults(func(*batch.Result) bool { return true })
}

func (s *soakRun) problem(format string, args ...any) {
	s.t.Errorf("run "+s.name+": "+format, args...)
}

// checkEnd complains about errors that nobody asked for.
func (s *soakRun) checkEnd(err error) {
	_, failed := errors.AsType[*batch.RequestError](err)
	switch {
	case err == nil, errors.Is(err, errSoakCancel), errors.Is(err, errSoakDisk) && s.failAt > 0, failed && s.failFast:
	default:
		s.problem("unexpected error: %v", err)
	}
}

// checkResults checks that there is one result a request at most, that it is what it says, and that exactly those requests
// are acknowledged as done whose results are finished and were delivered.
func (s *soakRun) checkResults(deliverable func(*batch.Result) bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	done := make(map[string]bool, len(s.results))
	for _, r := range s.results {
		if _, twice := done[r.ID]; twice {
			s.problem("two results for %s", r.ID)
		}
		done[r.ID] = !r.Unfinished()
		switch {
		case !deliverable(r):
			s.problem("the unfinished %s reached the sink", r.ID)
		case r.Success && r.Response != r.ID, r.Success == (r.Error != ""):
			s.problem("a dishonest result: %+v", *r)
		case r.ErrorType == batch.ErrStage:
			s.problem("%s: %s", r.ID, r.Error)
		}
	}
	for i := range s.taken {
		id := fmt.Sprintf("%s-%d", s.name, i)
		if acks := s.acks[id]; len(acks) != 1 || acks[0] != done[id] {
			s.problem("%s was acknowledged %v, and is done: %v", id, acks, done[id])
		}
	}
}
