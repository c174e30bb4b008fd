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

// outcome is what a limiter learns from of a call. It is made of the call's error before the limiter's lock is taken, since a
// foreign error may panic.
type outcome struct {
	verdict    verdict
	retryAfter time.Duration // that a 429 asked for
	usage      *batch.TokenUsage
	header     Header
	err        error
}

// verdict is what a call says of the provider.
type verdict int

const (
	nothing verdict = iota // it was cut short, or its completer panicked
	answered
	failed
	refused   // by a 429
	unreached // there is no server
)

func outcomeOf(answer *Answer, err error) outcome {
	o := outcome{verdict: failed, header: noHeader, err: err}
	if err == nil {
		if answer != nil {
			o.verdict, o.header, o.usage = answered, answer.Header, answer.Usage
		}
		return o
	}
	if e, ok := errors.AsType[*Error](err); ok {
		o.header, o.usage = e.Header, e.Usage
	}
	retryAfter, limited := rateLimited(err)
	switch {
	case batch.KindOf(err).Unfinished():
		o.verdict = nothing
	case limited:
		o.verdict, o.retryAfter = refused, retryAfter
	case unreachable(err):
		o.verdict = unreached
	}
	return o
}

// finish settles a call. held says that it met a pause which a later try may find over; failure, unless nil, takes the place
// of its error.
func (l *Limiter) finish(b begun, o outcome) (held bool, failure error) {
	l.mu.Lock()
	now := time.Now()
	l.inFlight--
	if l.tokens != nil {
		l.tokens.take(now, o.tokensUsed(b.tokens)-b.tokens)
	}
	l.hear(now, b, o.header)
	before := l.incidents
	held, down := l.learn(now, b, o)
	pause := Pause{Err: o.err, For: l.until.Sub(now), InFlight: l.inFlight + 1}
	began, lines := l.incidents > before, l.lines
	l.mu.Unlock()
	for _, line := range lines {
		line.notify()
	}
	if began && l.onPause != nil {
		l.onPause(pause)
	}
	if down > 0 {
		failure = outageError(down, o.err)
	}
	return held, failure
}

// learn lets what became of a call decide about those that follow. down, unless 0, is for how long there has been no server,
// which is too long.
func (l *Limiter) learn(now time.Time, b begun, o outcome) (held bool, down time.Duration) {
	sinceThePause := b.incidents == l.incidents
	if sinceThePause {
		l.recovery.begun--
	}
	switch {
	case o.verdict == nothing:
		return false, 0
	case o.verdict == refused:
		l.outage = time.Time{}
		l.limit(now, o.retryAfter, sinceThePause)
		return true, 0
	case o.verdict == unreached && l.maxOutage > 0:
		return l.await(now, b, sinceThePause)
	}
	l.outage = time.Time{}
	if l.adaptive != nil {
		l.adaptive.borne(b.level)
	}
	if o.verdict == answered && sinceThePause {
		l.inARow = 0
		if now.After(l.until) {
			l.recovery.grow(l.nobodyWaits())
		}
	}
	return false, 0
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
func (l *Limiter) await(now time.Time, b begun, first bool) (held bool, down time.Duration) {
	if l.adaptive != nil {
		l.adaptive.refused(now, false)
	}
	if l.outage.IsZero() || l.nobodyCalled(b.at) {
		l.outage, l.inARow = now, 0
	}
	l.missed = now
	if down = now.Sub(l.outage); down >= l.maxOutage {
		return false, down
	}
	if first {
		pause := min(firstPause<<min(l.inARow, 10), longestProbe)
		pause = min(pause, l.outage.Add(l.maxOutage).Sub(now))
		l.pauseUntil(now.Add(pause))
		l.recovery.begin(l.until, l.inFlight+1)
		l.incident()
	}
	return true, 0
}

// nobodyCalled tells whether the server may have been there, unnoticed, before a call began.
func (l *Limiter) nobodyCalled(began time.Time) bool {
	tried := l.missed
	if l.until.After(tried) {
		tried = l.until
	}
	return began.Sub(tried) > longestProbe
}

// out tells whether the server has not been reached for too long.
func (l *Limiter) out() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return !l.outage.IsZero() && l.missed.Sub(l.outage) >= l.maxOutage
}

// rest has one call try again after a while where there is no server, and none before.
func (l *Limiter) rest() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.pauseUntil(time.Now().Add(longestProbe))
	l.recovery.begin(l.until, l.inFlight+1)
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
func (l *Limiter) hear(now time.Time, b begun, h Header) {
	told := b.told
	if told == nil || h.LimitRequests <= 0 && h.LimitTokens <= 0 {
		return
	}
	age := now.Sub(b.at)
	told.requests.told(now, h.LimitRequests, h.RemainingRequests, h.ResetRequests, age, told.started-b.order, b.order)
	told.tokens.told(now, h.LimitTokens, h.RemainingTokens, h.ResetTokens, age, told.spent-b.spent, b.order)
	l.estimate = l.estimate || told.tokens.limit > 0
}

// tokensUsed returns what a call used: as reported, else as estimated where it succeeded.
func (o outcome) tokensUsed(estimate int) int {
	switch {
	case o.usage != nil:
		return int(max(o.usage.Total, o.usage.Prompt+o.usage.Completion, 0))
	case o.verdict == answered:
		return estimate
	}
	return 0
}
