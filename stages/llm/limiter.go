package llm

import (
	"context"
	"errors"
	"math/rand/v2"
	"slices"
	"sync"
	"time"

	"github.com/gluepipe/gluepipe/stages/batch"
)

const (
	firstPause   = time.Second
	longestPause = time.Minute
	// growInterval is how long a call in flight holds back others after a pause. A 429 comes at once, an answer may take
	// many minutes: so a call that isn't refused by then is as good as one that succeeded.
	growInterval = 10 * time.Second
)

// A Limiter paces the calls made with one key: by its [Limits], and by the 429s that the provider answers. It is used
// through [RateLimit] or a [KeyPool], may be shared by several of them, and is safe for concurrent use.
//
// Tokens are estimated before a call (see [EstimateTokens]) and settled with the usage reported after it; a call that
// failed without reporting any gives all of them back. Its request stays counted, as providers count it.
//
// A 429 pauses all calls, once, until the time that the provider asked for, however many calls meet it: those that began
// before the pause can only lengthen it. Where the provider asks for none, a pause lasts 1 second, doubled with each
// further one up to 60 until a call succeeds, and up to as much again at random. After it one call goes first, and with
// each that succeeds one more may be in flight, twice as many after 10 seconds without a 429, until nothing is held back.
type Limiter struct {
	line *line // of the calls that RateLimit holds back

	mu       sync.Mutex
	lines    []*line // to be told of changes: line, and those of key pools
	requests *bucket
	tokens   *bucket
	inFlight int

	incidents int       // pauses so far
	inARow    int       // of them, since a call last succeeded
	until     time.Time // the end of the last pause
	window    int       // how many calls begun after the pause may be in flight; 0: all
	grows     time.Time // when the window grows without a success
	begun     int       // how many are
	target    int       // how many were in flight before the pause
}

// NewLimiter returns a limiter that starts with its whole allowance. With no limits, only 429s hold calls back.
func NewLimiter(limits Limits) *Limiter {
	l := &Limiter{line: newLine(), requests: newBucket(limits.RPM), tokens: newBucket(limits.TPM)}
	l.lines = []*line{l.line}
	return l
}

// started is what a limiter remembers of a call in flight.
type started struct {
	incidents int // before it
	tokens    int // taken for it
}

// start waits until the call may start.
func (l *Limiter) start(ctx context.Context, call *Call) (started, error) {
	tokens := 0
	if l.tokens != nil {
		tokens = EstimateTokens(call)
	}
	if l.line.empty() {
		if s, wait := l.tryStart(tokens); wait <= 0 {
			return s, nil
		}
	}
	return l.startInLine(ctx, call, tokens)
}

func (l *Limiter) startInLine(ctx context.Context, call *Call, tokens int) (s started, err error) {
	err = l.line.wait(ctx, call, func() (wait time.Duration, _ error) {
		s, wait = l.tryStart(tokens)
		return wait, nil
	})
	return s, err
}

// tryStart starts a call, or returns how long it must wait before another try.
func (l *Limiter) tryStart(tokens int) (started, time.Duration) {
	l.mu.Lock()
	defer l.mu.Unlock()
	s := started{incidents: l.incidents}
	if !l.unlimited() {
		now := time.Now()
		if wait := l.wait(now); wait > 0 {
			return started{}, wait
		}
		l.requests.take(now, 1)
		s.tokens = l.tokens.take(now, tokens)
	}
	l.inFlight++
	l.begun++
	return s, 0
}

// load returns how long a call would have to wait, and how many are in flight.
func (l *Limiter) load() (wait time.Duration, inFlight int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.unlimited() {
		return 0, l.inFlight
	}
	return l.wait(time.Now()), l.inFlight
}

// unlimited tells that a call may start now, without a look at the clock.
func (l *Limiter) unlimited() bool { return l.window == 0 && l.requests == nil && l.tokens == nil }

func (l *Limiter) wait(now time.Time) time.Duration {
	switch pause := l.until.Sub(now); {
	case pause > 0:
		return pause
	case l.window > 0 && l.begun >= l.window:
		if early := l.grows.Sub(now); early > 0 {
			return early
		}
		l.window, l.grows = 2*l.window, now.Add(growInterval)
		return l.wait(now)
	}
	return max(l.requests.wait(now), l.tokens.wait(now))
}

// run makes a call that has started.
func (l *Limiter) run(ctx context.Context, call *Call, s started, next Completer) (answer *Answer, err error) {
	// Deferred, so that a completer that panics doesn't hold its place for ever.
	defer func() {
		if l.finish(s, answer, err) {
			parkOf(ctx).hold()
		}
	}()
	return next.Complete(ctx, call)
}

// finish settles a call, and tells whether it met a rate limit.
func (l *Limiter) finish(s started, answer *Answer, err error) (limited bool) {
	retryAfter, limited := rateLimited(err)
	l.mu.Lock()
	l.inFlight--
	sinceThePause := s.incidents == l.incidents
	if sinceThePause {
		l.begun--
	}
	if l.tokens != nil {
		l.tokens.take(time.Now(), tokensUsed(answer, err, s.tokens)-s.tokens)
	}
	switch {
	case limited && sinceThePause:
		l.pause(retryAfter)
	case limited:
		l.lengthen(retryAfter)
	case answer != nil && err == nil && sinceThePause:
		l.grow()
	}
	lines := l.lines
	l.mu.Unlock()
	for _, line := range lines {
		line.notify()
	}
	return limited
}

// pause begins an incident.
func (l *Limiter) pause(retryAfter time.Duration) {
	if retryAfter <= 0 {
		retryAfter = min(firstPause<<min(l.inARow, 10), longestPause)
		retryAfter += rand.N(retryAfter)
	}
	l.lengthen(retryAfter)
	l.incidents++
	l.inARow++
	l.begun = 0
}

// lengthen moves the end of the pause, if it is to be later. The pace then grows back from the beginning.
func (l *Limiter) lengthen(retryAfter time.Duration) {
	until := time.Now().Add(retryAfter)
	if retryAfter > 0 && until.After(l.until) {
		l.until = until
		l.window, l.grows = 1, until.Add(growInterval)
		l.target = max(l.target, l.inFlight+1)
	}
}

// grow allows one call more in flight after each that succeeds, which doubles the pace with each round. When that holds
// back nobody any more, the incident is over.
func (l *Limiter) grow() {
	l.inARow = 0
	if l.window == 0 || time.Now().Before(l.until) {
		return
	}
	l.window++
	if l.window <= l.target {
		return
	}
	for _, line := range l.lines {
		if !line.empty() {
			return
		}
	}
	l.window, l.target = 0, 0
}

// notifies has the limiter tell line of its changes, too.
func (l *Limiter) notifies(line *line) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.lines = append(slices.Clip(l.lines), line)
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
