package main

import (
	"fmt"
	"os"
	"os/signal"
	"sync"
	"syscall"
)

// watchSignals reacts to the first and the second Ctrl-C or SIGTERM. What it returns ends the watching; a third signal
// then ends the process.
func (j *job) watchSignals(inFlight func() int, drain, cancel func()) (stop func()) {
	signals := make(chan os.Signal, 2)
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM)
	stopWatching := watchInterrupts(signals,
		func() {
			j.interrupted.Store(true)
			calls := inFlight()
			drain() // before it is said: who reads it may count on it
			j.notef("interrupted: %s", finishing(calls))
		},
		func() {
			signal.Stop(signals)
			j.notef("interrupted again: cancelling what is in flight")
			cancel()
		})
	return func() { signal.Stop(signals); stopWatching() }
}

func finishing(calls int) string {
	if calls == 0 {
		return "finishing what is in flight; press Ctrl-C again to cancel it"
	}
	return fmt.Sprintf("finishing %s in flight; press Ctrl-C again to cancel them", plural(calls, "request"))
}

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
