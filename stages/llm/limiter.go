package llm

import (
	"context"
	"slices"
	"sync"
	"time"
)

// LimiterConfig says what a [Limiter] keeps to. The zero value has it learn nothing, and hold calls back after 429s alone.
type LimiterConfig struct {
	Limits Limits
	// MaxConcurrent, where it is above 0, has the limiter adapt: it learns from 429s and from the headers of answers how much
	// the provider bears, and lets up to so many calls be in flight.
	MaxConcurrent int
	// MaxOutage, where it is above 0, has calls wait for a server that can't be reached, for up to so long.
	MaxOutage time.Duration
	// OnPause, unless nil, is told of each pause, by the goroutine whose call met its cause.
	OnPause func(Pause)
}

// Pause is a time in which a [Limiter] lets no call start.
type Pause struct {
	Err      error // of the call that met a 429, or no server
	For      time.Duration
	InFlight int // calls in flight when it began
}

// A Limiter paces the calls made with one key: by its [Limits], and by what the provider answers. It is used through
// [RateLimit] or a [KeyPool], may be shared by several of them, and is safe for concurrent use.
//
// Tokens are estimated before a call (see [EstimateTokens]) and settled with the usage reported after it; a call that
// failed without reporting any gives all of them back. Its request stays counted, as providers count it.
//
// A 429 pauses all calls, once, until the time that the provider asked for, however many calls meet it: those that began
// before the pause can only lengthen it. Where the provider asks for none, a pause lasts 1 second, doubled with each
// further one up to 60 until a call succeeds, and up to as much again at random. After it the pace grows back.
//
// A limiter that adapts lets few calls start at once in the beginning, and all of them after a quarter of a second. Where the
// headers of answers say how much is left of a limit, calls keep to that. A 429 cuts how many calls may be in flight, and
// start in a second, to nine tenths of what the provider has borne; both are back after 3 seconds, and grow on from 10
// until the next 429.
//
// A limiter that doesn't adapt lets one call go first after a pause, and with each that succeeds one more be in flight, twice
// as many after 10 seconds, until nothing is held back.
//
// A server that can't be reached (refused connections, unknown names: nothing was sent) pauses calls too, where MaxOutage
// says so: one call at a time tries again, after 1 second and up to 8, until there is a connection. A call that finds none
// after MaxOutage fails, as [Error.Fatal]. A time in which nobody tried doesn't count.
type Limiter struct {
	maxOutage time.Duration
	onPause   func(Pause)
	line      *line // of the calls that RateLimit holds back

	mu       sync.Mutex
	lines    []*line // to be told of changes: line, and those of key pools
	requests *bucket
	tokens   *bucket
	adaptive *adaptive              // nil: it doesn't adapt
	told     map[string]*allowances // by model
	estimate bool                   // some limit is of tokens
	inFlight int

	incidents int       // pauses so far
	inARow    int       // of them, since a call last succeeded
	until     time.Time // the end of the last pause
	recovery  recovery
	outage    time.Time // since when the server can't be reached; zero: it can
	missed    time.Time // when a call last found that
}

// NewLimiter returns a limiter that starts with its whole allowance.
func NewLimiter(config LimiterConfig) *Limiter {
	l := &Limiter{
		maxOutage: config.MaxOutage, onPause: config.OnPause, line: newLine(nil),
		requests: newBucket(config.Limits.RPM), tokens: newBucket(config.Limits.TPM), estimate: config.Limits.TPM > 0,
	}
	if config.MaxConcurrent > 0 {
		l.adaptive = &adaptive{max: config.MaxConcurrent}
		l.told = map[string]*allowances{}
	}
	l.lines = []*line{l.line}
	return l
}

// demand is what a call will take.
type demand struct {
	model  string
	tokens int // estimated; 0 where no limit is of tokens
}

// begun is what a limiter remembers of a call in flight.
type begun struct {
	demand
	at        time.Time // zero where nothing needs it
	incidents int       // before it
	level     int       // how many were in flight, itself included
	tokens    int       // taken of the bucket

	told  *allowances // of its model; nil where the limiter doesn't adapt
	order int         // among the calls that took of these
	spent int         // tokens that calls up to it took of them
}

func (l *Limiter) demand(call *Call) demand {
	d := demand{model: call.Model}
	if l.estimates() {
		d.tokens = EstimateTokens(call)
	}
	return d
}

func (l *Limiter) estimates() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.estimate
}

// start waits until the call may start.
func (l *Limiter) start(ctx context.Context, call *Call) (begun, error) {
	d := l.demand(call)
	if l.line.empty() {
		if b, held := l.tryStart(d); held.wait <= 0 {
			return b, nil
		}
	}
	return l.startInLine(ctx, call, d)
}

func (l *Limiter) startInLine(ctx context.Context, call *Call, d demand) (b begun, err error) {
	err = l.line.wait(ctx, call, func() (held hold, _ error) {
		b, held = l.tryStart(d)
		return held, nil
	})
	return b, err
}

// tryStart starts a call, or tells what holds it back.
func (l *Limiter) tryStart(d demand) (begun, hold) {
	l.mu.Lock()
	defer l.mu.Unlock()
	b := begun{demand: d, incidents: l.incidents}
	if !l.unlimited() {
		b.at = time.Now()
		if held := l.held(b.at, d); held.wait > 0 {
			return begun{}, held
		}
		l.take(&b)
	}
	l.inFlight++
	l.recovery.begun++
	b.level = l.inFlight
	return b, hold{}
}

// load tells what holds a call back, and how many are in flight.
func (l *Limiter) load(d demand) (held hold, inFlight int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.unlimited() {
		return hold{}, l.inFlight
	}
	return l.held(time.Now(), d), l.inFlight
}

// paused returns how long the pause that is on still lasts.
func (l *Limiter) paused() time.Duration {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.until.IsZero() {
		return 0
	}
	return max(time.Until(l.until), 0)
}

// unlimited tells that a call may start now, without a look at the clock.
func (l *Limiter) unlimited() bool {
	return l.recovery.window == 0 && l.requests == nil && l.tokens == nil && l.adaptive == nil
}

func (l *Limiter) held(now time.Time, d demand) hold {
	if pause := l.until.Sub(now); pause > 0 {
		return hold{wait: pause, limited: true}
	}
	if wait := l.recovery.wait(now); wait > 0 {
		return hold{wait: wait, limited: true}
	}
	limit := max(l.requests.wait(now), l.tokens.wait(now))
	if l.adaptive != nil {
		if told := l.told[d.model]; told != nil {
			limit = max(limit, told.requests.wait(now, 1), told.tokens.wait(now, d.tokens))
		}
		if held := l.adaptive.wait(now, l.inFlight); held.wait > limit {
			return held
		}
	}
	return hold{wait: limit, limited: true}
}

func (l *Limiter) take(b *begun) {
	l.requests.take(b.at, 1)
	b.tokens = l.tokens.take(b.at, b.demand.tokens)
	if l.adaptive == nil {
		return
	}
	l.adaptive.started(b.at)
	b.told = l.toldOf(b.model)
	b.order, b.spent = b.told.take(b.at, b.demand.tokens)
}

// run makes a call that has started, with a permit.
func (l *Limiter) run(ctx context.Context, call *Call, b begun, permits *Permits, next Completer) (answer *Answer, err error) {
	// Deferred, so that a completer that panics doesn't hold its place for ever. The permit comes free last: what is learned
	// of this call holds for the one that gets it.
	defer permits.release()
	var o outcome
	defer func() {
		held, failure := l.finish(b, o)
		if held {
			parkOf(ctx).hold()
		}
		if failure != nil {
			err = failure
		}
	}()
	announceStart(ctx)
	answer, err = next.Complete(ctx, call)
	o = outcomeOf(answer, err)
	if o.verdict == answered {
		announceAnswer(ctx)
	}
	return answer, err
}

// notifies has the limiter tell line of its changes, too.
func (l *Limiter) notifies(line *line) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.lines = append(slices.Clip(l.lines), line)
}
