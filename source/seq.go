package source

import (
	"context"
	"fmt"
	"io"
	"iter"
	"sync"
	"sync/atomic"

	"github.com/gluepipe/gluepipe/stages/batch"
)

// Seq returns a source of the requests that an iterator yields. Each item has its own copy of its request. An error that the
// iterator yields ends the run, and so does a panic in it; neither is followed by further requests.
//
// The iterator runs only while Next does, and can't see Next's ctx: Next blocks for as long as the iterator takes. Close
// ends the iterator as a break out of its loop would; where it is called while Next blocks, the iterator ends when it
// yields next.
func Seq(requests iter.Seq2[batch.Request, error]) batch.Source {
	next, stop := iter.Pull2(requests)
	return &seq{next: next, stop: stop}
}

type seq struct {
	mu     sync.Mutex // held while the iterator runs: next and stop must not overlap
	next   func() (batch.Request, error, bool)
	stop   func()
	closed atomic.Bool
	n      int
	err    error // what Next returns from now on
}

func (s *seq) Next(ctx context.Context) (*batch.Item, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	if s.err != nil {
		return nil, s.err
	}
	if s.closed.Load() {
		return nil, io.EOF
	}
	request, err := s.pull()
	if err != nil || s.closed.Load() { // a Close that found the iterator running left the stop to us
		if stopErr := s.stopIdle(); err == nil {
			err = stopErr
		}
	}
	s.n++
	if err != nil {
		if err != io.EOF {
			err = fmt.Errorf("request %d: %w", s.n, err)
		}
		s.err = err
		return nil, err
	}
	return numbered(&request, s.n), nil
}

func (s *seq) pull() (request batch.Request, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	defer recovered(&err)
	request, err, ok := s.next()
	if !ok {
		return request, io.EOF
	}
	return request, err
}

// stopIdle ends the iterator unless it is running now.
func (s *seq) stopIdle() (err error) {
	if !s.mu.TryLock() {
		return nil
	}
	defer s.mu.Unlock()
	defer recovered(&err)
	s.stop()
	return nil
}

func (s *seq) Close() error {
	s.closed.Store(true)
	return s.stopIdle()
}

func recovered(err *error) {
	if v := recover(); v != nil {
		*err = fmt.Errorf("the iterator panicked: %v", v)
	}
}
