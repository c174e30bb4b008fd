package main

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"sync"
	"syscall"
	"time"
)

// notifyEnd relays the signals that end a run in good order: Ctrl-C, what a service manager sends, and what tells that the
// terminal is gone. Those that the program was started to ignore, as by nohup or in the background of a script, stay ignored.
func notifyEnd(signals chan<- os.Signal) {
	for _, s := range []os.Signal{os.Interrupt, syscall.SIGTERM, syscall.SIGHUP} {
		if !signal.Ignored(s) {
			signal.Notify(signals, s)
		}
	}
}

// untilSignal returns a context that ends with the first of these signals. stop gives them back to the system.
func untilSignal(ctx context.Context) (until context.Context, stop func()) {
	signals := make(chan os.Signal, 1)
	notifyEnd(signals)
	ctx, cancel := context.WithCancel(ctx)
	var watching sync.WaitGroup
	watching.Go(func() {
		select {
		case <-signals:
			cancel()
		case <-ctx.Done():
		}
	})
	return ctx, func() {
		signal.Stop(signals)
		cancel()
		watching.Wait()
	}
}

// giveUpAfter is how long a run that was cancelled has beyond the grace, which is for its last writes, to say what it did.
const giveUpAfter = 2 * time.Second

// shutdown is how signals end a run. None of its functions may block.
type shutdown struct {
	grace  time.Duration
	drain  func(first os.Signal)
	cancel func(why string)
	giveUp func(why string)
}

// watch drains at the first signal. It cancels at another Ctrl-C, or, after a signal behind which there may be nobody, when
// the grace is over; and gives up what doesn't end then, or at one more Ctrl-C. Signals other than Ctrl-C say nothing new when
// they come again: a terminal that goes away sends its hangup, and its shell another.
func (s shutdown) watch(signals <-chan os.Signal, done <-chan struct{}) {
	var overdue <-chan time.Time
	why := ""
	for draining := false; why == ""; {
		select {
		case <-done:
			return
		case got := <-signals:
			if got != os.Interrupt && overdue == nil {
				overdue = time.After(s.grace)
			}
			if !draining {
				draining = true
				s.drain(got)
			} else if got == os.Interrupt {
				why = "interrupted again"
			}
		case <-overdue:
			why = fmt.Sprintf("not finished within %v", s.grace)
		}
	}
	s.cancel(why)
	patience := s.grace + giveUpAfter
	overdue = time.After(patience)
	for {
		select {
		case <-done:
			return
		case got := <-signals:
			if got == os.Interrupt {
				s.giveUp("interrupted once more")
				return
			}
		case <-overdue:
			s.giveUp(fmt.Sprintf("cancelled, and not ended within %v", patience))
			return
		}
	}
}

// watchSignals lets signals end the job, until stop. What there is to say is written by a goroutine of its own: a terminal or
// a pipe that takes nothing more must not keep the next signal from being heard.
func (j *job) watchSignals(
	ctx context.Context, inFlight func() int, drain, cancel func(), advice func() string,
) (stop func()) {
	notes := make(chan string, 8) // more than there are
	told := make(chan struct{})
	saidFirst := sync.OnceFunc(func() { close(j.said) })
	go func() {
		defer close(told)
		for note := range notes {
			j.notef("%s", note)
			saidFirst()
		}
	}()
	s := shutdown{
		grace: j.settings.grace,
		drain: func(first os.Signal) {
			j.interrupted.Store(true)
			calls := inFlight()
			drain() // before it is said: who reads it may count on it
			notes <- finishing(first, calls, j.settings.grace)
		},
		cancel: func(why string) {
			cancel()
			notes <- why + ": cancelling what is in flight"
		},
		giveUp: func(why string) {
			notes <- why + ": giving up; what is written stays"
			if text := advice(); text != "" {
				notes <- text
			}
			close(notes)
			ended := make(chan struct{})
			go func() {
				defer close(ended)
				j.tools.kill(ctx)
				<-told
			}()
			select {
			case <-ended:
			case <-time.After(time.Second): // nobody reads it, or something can't be killed
			}
			os.Exit(exitInterrupted)
		},
	}
	signals := make(chan os.Signal, 4)
	notifyEnd(signals)
	done := make(chan struct{})
	var watching sync.WaitGroup
	watching.Go(func() { s.watch(signals, done) })
	return func() {
		signal.Stop(signals)
		close(done)
		watching.Wait()
		close(notes)
		<-told
	}
}

func finishing(first os.Signal, calls int, grace time.Duration) string {
	what, them := "what is in flight", "it"
	if calls > 0 {
		what, them = plural(calls, "request")+" in flight", "them"
	}
	if first == os.Interrupt {
		return fmt.Sprintf("interrupted: finishing %s; press Ctrl-C again to cancel %s", what, them)
	}
	if grace == 0 {
		return fmt.Sprintf("%v: no time to finish %s, since --grace is 0", first, what)
	}
	return fmt.Sprintf("%v: finishing %s, for at most %v", first, what, grace)
}
