package main

import (
	"fmt"
	"sync"
	"time"
)

const plainInterval = 5 * time.Second

// plain prints a line every few seconds, for logs and pipes.
type plain struct {
	*syncWriter
	*tracker
	once    sync.Once
	done    chan struct{}
	running sync.WaitGroup
}

func newPlain(out *syncWriter) *plain {
	return &plain{syncWriter: out, tracker: newTracker(), done: make(chan struct{})}
}

func (p *plain) start(inFlight func() int) {
	p.begin(inFlight)
	p.running.Go(func() {
		ticker := time.NewTicker(plainInterval)
		defer ticker.Stop()
		for {
			select {
			case now := <-ticker.C:
				fmt.Fprintf(p, "%s  %s\n", now.Format(time.TimeOnly), p.status(now))
			case <-p.done:
				return
			}
		}
	})
}

func (p *plain) close() {
	p.once.Do(func() { close(p.done) })
	p.running.Wait()
}
