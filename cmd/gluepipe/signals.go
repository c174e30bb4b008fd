package main

import (
	"os"
	"sync"
)

// watchInterrupts calls first at the first signal and second at the next one, both from one goroutine. Later signals are
// left to the system once stop has been called; stop waits for the goroutine.
func watchInterrupts(signals <-chan os.Signal, first, second func()) (stop func()) {
	done := make(chan struct{})
	var watching sync.WaitGroup
	watching.Go(func() {
		for _, react := range []func(){first, second} {
			select {
			case <-signals:
				react()
			case <-done:
				return
			}
		}
	})
	return sync.OnceFunc(func() { close(done); watching.Wait() })
}
