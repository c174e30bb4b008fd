package llm

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/gluepipe/gluepipe/stages/batch"
)

const (
	firstPause   = time.Second
	longestPause = time.Minute
	longestProbe = 8 * time.Second
)

// finish settles a call. held says that it met a pause which a later try may find over; failure, unless nil, takes the place
// of its error.
func (l *Limiter) finish(b begun, answer *Answer, err error) (held bool, failure error) {
	now := time.Now()
	l.mu.Lock()
	l.inFlight--
	if l.tokens != nil {
		l.tokens.take(now, tokensUsed(answer, err, b.tokens)-b.tokens)
	}
	l.hear(now, b, answer, err)
	before := l.incidents
	held, failure = l.learn(now, b, answer, err)
	pause := Pause{Err: err, For: l.until.Sub(now), InFlight: l.inFlight + 1}
	began, lines := l.incidents > before, l.lines
	l.mu.Unlock()
	for _, line := range lines {
		line.notify()
	}
	if began && l.onPause != nil {
		l.onPause(pause)
	}
	return held, failure
}

// learn lets what became of a call decide about those that follow.
func (l *Limiter) learn(now time.Time, b begun, answer *Answer, err error) (held bool, failure error) {
	sinceThePause := b.incidents == l.incidents
	if sinceThePause {
		l.recovery.begun--
	}
	retryAfter, limited := rateLimited(err)
	switch {
	case batch.KindOf(err).Unfinished(): // which says nothing about the provider
		return false, nil
	case limited:
		l.outage = time.Time{}
		l.limit(now, retryAfter, sinceThePause)
		return true, nil
	case l.maxOutage > 0 && unreachable(err):
		return l.await(now, err, sinceThePause)
	}
	l.outage = time.Time{}
	if l.adaptive != nil {
		l.adaptive.borne(b.level)
	}
	if answer != nil && err == nil && sinceThePause {
		l.inARow = 0
		if now.After(l.until) {
			l.recovery.grow(l.nobodyWaits())
		}
	}
	return false, nil
}

// limit pauses for a 429, or lengthens the pause that is on.
func (l *Limiter) limit(now time.Time, retryAfter time.Duration, first bool) {
	if first && retryAfter <= 0 {
		retryAfter = min(firstPause<<min(l.inARow, 10), longestPause)
		retryAfter += rand.N(retryAfter)
	}
	later := retryAfter > 0 && l.pauseUntil(now.Add(retryAfter))
	switch {
	case l.adaptive != nil:
		l.adaptive.refused(now, first)
	case later:
		l.recovery.begin(l.until, l.inFlight+1)
	}
	if first {
		l.incident()
	}
}

// await pauses for a server that can't be reached, until it has been so for too long.
func (l *Limiter) await(now time.Time, err error, first bool) (held bool, failure error) {
	if l.adaptive != nil {
		l.adaptive.refused(now, false)
	}
	if l.outage.IsZero() {
		l.outage, l.inARow = now, 0
	}
	if down := now.Sub(l.outage); down >= l.maxOutage {
		return false, outageError(down, err)
	}
	if first {
		pause := min(firstPause<<min(l.inARow, 10), longestProbe)
		pause = min(pause, l.outage.Add(l.maxOutage).Sub(now))
		l.pauseUntil(now.Add(pause))
		l.recovery.begin(l.until, l.inFlight+1)
		l.incident()
	}
	return true, nil
}

func outageError(down time.Duration, err error) error {
	failure := Error{Kind: batch.ErrAPIConnection, Header: noHeader}
	if e, ok := errors.AsType[*Error](err); ok {
		failure = *e
	}
	failure.Retryable, failure.Fatal = false, true
	failure.Err = fmt.Errorf("no connection for %v: %w", down.Round(time.Second), err)
	return &failure
}

// pauseUntil moves the end of the pause, if it is to be later.
func (l *Limiter) pauseUntil(until time.Time) bool {
	if !until.After(l.until) {
		return false
	}
	l.until = until
	return true
}

// incident counts a pause that begins.
func (l *Limiter) incident() {
	l.incidents++
	l.inARow++
	l.recovery.begun = 0
}

func (l *Limiter) nobodyWaits() bool {
	for _, line := range l.lines {
		if !line.empty() {
			return false
		}
	}
	return true
}

// hear takes what the answer's headers say of limits.
func (l *Limiter) hear(now time.Time, b begun, answer *Answer, err error) {
	if l.adaptive == nil {
		return
	}
	var h Header
	if e, ok := errors.AsType[*Error](err); ok {
		h = e.Header
	} else if answer != nil {
		h = answer.Header
	}
	if h.LimitRequests <= 0 && h.LimitTokens <= 0 {
		return
	}
	told := l.told[b.model]
	if told == nil {
		told = &allowances{}
		l.told[b.model] = told
	}
	age := now.Sub(b.at)
	told.requests.told(now, h.LimitRequests, h.RemainingRequests, h.ResetRequests, age, l.started-b.order, b.order)
	told.tokens.told(now, h.LimitTokens, h.RemainingTokens, h.ResetTokens, age, l.spent-b.spent, b.order)
	l.estimate = l.estimate || told.tokens.limit > 0
}

// tokensUsed returns what a call used: as reported, else as estimated where it succeeded.
func tokensUsed(answer *Answer, err error, estimate int) int {
	var usage *batch.TokenUsage
	if answer != nil && err == nil {
		usage = answer.Usage
	} else {
		estimate = 0
		if e, ok := errors.AsType[*Error](err); ok {
			usage = e.Usage
		}
	}
	if usage == nil {
		return estimate
	}
	return int(max(usage.Total, usage.Prompt+usage.Completion, 0))
}
