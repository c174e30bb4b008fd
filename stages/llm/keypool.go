package llm

import (
	"context"
	"sync"
	"sync/atomic"
	"time"
)

// Key is one API key of a [KeyPool].
type Key struct {
	// Name is what people are told of the key, as [KeyName] makes it.
	Name string
	// Completer makes calls with the key. The pool applies Limiter itself, so it isn't to be wrapped in [RateLimit].
	Completer Completer
	// Limiter paces the key's calls; nil is a limiter without limits.
	Limiter *Limiter
}

// KeyName returns what may be told of an API key: "..." and its last four characters, or "..." alone for a key so short
// that four would give much of it away.
func KeyName(key string) string {
	if len(key) < 12 {
		return "..."
	}
	return "..." + key[len(key)-4:]
}

// KeyPool is a Completer over several API keys. A call goes to the key whose limiter lets it start first; of several, to
// the one with the fewest calls in flight, and then in turn.
//
// A key that is refused (401) or has no credit left ([batch.ErrQuotaExceeded]) is put aside for good, and its call goes to
// another key. The last key's quota error is returned instead. Where every key is refused, all calls fail with
// [batch.ErrAuthentication]. A 403 is returned as it is: it says that the request isn't allowed, not that the key is bad.
//
// A key whose own server can't be reached for too long (see [LimiterConfig].MaxOutage) leaves its calls to the others too, and
// is tried again every few seconds.
//
// A KeyPool is safe for concurrent use. Calls wait for a key as they do in [RateLimit], and for a permit, where the pool has
// any: one that starts has both, and nothing else can come in between.
type KeyPool struct {
	keys    []*pooledKey
	permits *Permits
	line    *line
	next    atomic.Uint32

	mu         sync.Mutex // guards the setting aside of keys
	onSetAside func(name string, err error)
}

type pooledKey struct {
	Key
	aside  atomic.Bool
	reason error // why it was put aside; guarded by KeyPool.mu
}

// NewKeyPool returns a pool of keys. permits bounds the calls in flight, together with other pools that have the same; nil is
// no bound. onSetAside, unless nil, is called once for each key that is put aside, by the goroutine whose call found out.
// NewKeyPool panics without a key, and when a key's completer applies the key's limiter already.
func NewKeyPool(keys []Key, permits *Permits, onSetAside func(name string, err error)) *KeyPool {
	if len(keys) == 0 {
		panic("gluepipe: NewKeyPool needs at least one key")
	}
	p := &KeyPool{permits: permits, line: newLine(permits), onSetAside: onSetAside}
	for _, key := range keys {
		if key.Limiter == nil {
			key.Limiter = NewLimiter(LimiterConfig{})
		}
		if c, ok := key.Completer.(*paced); ok && c.limiter == key.Limiter {
			panic("gluepipe: a KeyPool applies the limiter of its keys itself: give it the completer without RateLimit")
		}
		key.Limiter.notifies(p.line)
		p.keys = append(p.keys, &pooledKey{Key: key})
	}
	return p
}

// Complete makes the call with the key that is free first.
func (p *KeyPool) Complete(ctx context.Context, call *Call) (*Answer, error) {
	for {
		key, b, err := p.start(ctx, call)
		if err != nil {
			return nil, err
		}
		answer, err := key.Limiter.run(ctx, call, b, p.permits, key.Completer)
		if err == nil {
			return answer, nil
		}
		switch p.judge(key, err) {
		case another:
		case last:
			return nil, fatal(err)
		case keep:
			return answer, err
		}
	}
}

func (p *KeyPool) start(ctx context.Context, call *Call) (*pooledKey, begun, error) {
	d := p.demand(call)
	if p.line.empty() {
		if key, b, held, err := p.tryStart(d, nil); err != nil || held.wait <= 0 {
			return key, b, err
		}
	}
	return p.startInLine(ctx, call, d)
}

func (p *KeyPool) startInLine(ctx context.Context, call *Call, d demand) (key *pooledKey, b begun, err error) {
	err = p.line.wait(ctx, call, func() (held hold, err error) {
		key, b, held, err = p.tryStart(d, p.line)
		return held, err
	})
	return key, b, err
}

func (p *KeyPool) demand(call *Call) demand {
	for _, key := range p.keys {
		if key.Limiter.estimates() {
			return key.Limiter.demand(call)
		}
	}
	return demand{model: call.Model}
}

// tryStart starts a call with the best key, or tells what holds all of them back. q is the line at whose head the call is;
// nil where it is in none.
func (p *KeyPool) tryStart(d demand, q *line) (*pooledKey, begun, hold, error) {
	for {
		key, held := p.best(d)
		if key == nil {
			return nil, begun{}, hold{}, p.refused()
		}
		if held.wait > 0 {
			return nil, begun{}, held, nil
		}
		if !p.permits.take(q) {
			return nil, begun{}, noPermit, nil
		}
		b, held := key.Limiter.tryStart(d)
		if held.wait <= 0 {
			return key, b, hold{}, nil
		}
		p.permits.release()
		if len(p.keys) == 1 {
			return nil, begun{}, held, nil
		}
		// Another call was quicker, so that another key may be better now.
	}
}

// best returns the key that is free first, and what holds it back; nil when all are put aside.
func (p *KeyPool) best(d demand) (best *pooledKey, held hold) {
	if len(p.keys) == 1 {
		if p.keys[0].aside.Load() {
			return nil, hold{}
		}
		held, _ = p.keys[0].Limiter.load(d)
		return p.keys[0], held
	}
	first, calls := int(p.next.Add(1)%uint32(len(p.keys))), 0
	for i := range p.keys {
		key := p.keys[(first+i)%len(p.keys)]
		if key.aside.Load() {
			continue
		}
		h, n := key.Limiter.load(d)
		if best == nil || h.wait < held.wait || h.wait == held.wait && n < calls {
			best, held, calls = key, h, n
		}
	}
	return best, held
}

// Paused returns for how long no call may start with any key, because of a 429 or a server that can't be reached; 0 where one
// may.
func (p *KeyPool) Paused() time.Duration {
	shortest := forever
	for _, key := range p.keys {
		if !key.aside.Load() {
			shortest = min(shortest, key.Limiter.paused())
		}
	}
	if shortest == forever {
		return 0 // no key is left to wait for
	}
	return shortest
}
