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
	stop func()
}

func newPlain(out *syncWriter) *plain {
	p := &plain{syncWriter: out, tracker: newTracker()}
	done := make(chan struct{})
	var running sync.WaitGroup
	running.Go(func() {
		ticker := time.NewTicker(plainInterval)
		defer ticker.Stop()
		for {
			select {
			case now := <-ticker.C:
				fmt.Fprintf(p, "%s  %s\n", now.Format(time.TimeOnly), p.status(now))
			case <-done:
				return
			}
		}
	})
	p.stop = sync.OnceFunc(func() { close(done); running.Wait() })
	return p
}

func (p *plain) close() { p.stop() }
