package pipeline

import (
	"sync"
	"time"
)

// stallPatience is how long nothing may move while every item that may be in work is held back: in a stage of the caller's,
// or by the order of delivery behind one. Nothing can come in then, so a stage that swallowed items, or that waits for more
// than there can be, would hang the run.
const stallPatience = 10 * time.Minute

// stall notices that a run stands still. Its methods do nothing on nil.
type stall struct {
	limit int // items that may be in work

	mu       sync.Mutex
	held     int
	timer    *time.Timer
	watchers []*watcher
}

func newStall(limit int) *stall {
	s := &stall{limit: limit}
	s.timer = time.AfterFunc(stallPatience, s.struck)
	s.timer.Stop()
	return s
}

// watch names a stage to be held responsible.
func (s *stall) watch(w *watcher) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.watchers = append(s.watchers, w)
}

// add counts items that begin (or, below 0, cease) to be held back.
func (s *stall) add(n int) {
	if s == nil || n == 0 {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.held += n; s.held == s.limit {
		s.timer.Reset(stallPatience)
	} else {
		s.timer.Stop()
	}
}

func (s *stall) struck() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.held < s.limit {
		return
	}
	for _, w := range s.watchers {
		w.stalled()
	}
}

func (s *stall) close() {
	if s != nil {
		s.timer.Stop()
	}
}
