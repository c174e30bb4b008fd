package llm

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/gluepipe/gluepipe/stages/batch"
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
// A KeyPool is safe for concurrent use. Calls wait for a key as they do in [RateLimit].
type KeyPool struct {
	keys         []*pooledKey
	line         *line
	limitsTokens bool
	next         atomic.Uint32

	mu         sync.Mutex // guards the setting aside of keys
	onSetAside func(name string, err error)
}

type pooledKey struct {
	Key
	aside  atomic.Bool
	reason error // why it was put aside; guarded by KeyPool.mu
}

// NewKeyPool returns a pool of keys. onSetAside, unless nil, is called once for each key that is put aside, by the goroutine
// whose call found out. NewKeyPool panics without a key, and when a key's completer applies the key's limiter already.
func NewKeyPool(keys []Key, onSetAside func(name string, err error)) *KeyPool {
	if len(keys) == 0 {
		panic("gluepipe: NewKeyPool needs at least one key")
	}
	p := &KeyPool{line: newLine(), onSetAside: onSetAside}
	for _, key := range keys {
		if key.Limiter == nil {
			key.Limiter = NewLimiter(Limits{})
		}
		if c, ok := key.Completer.(*paced); ok && c.limiter == key.Limiter {
			panic("gluepipe: a KeyPool applies the limiter of its keys itself: give it the completer without RateLimit")
		}
		key.Limiter.notifies(p.line)
		p.limitsTokens = p.limitsTokens || key.Limiter.tokens != nil
		p.keys = append(p.keys, &pooledKey{Key: key})
	}
	return p
}

// Complete makes the call with the key that is free first.
func (p *KeyPool) Complete(ctx context.Context, call *Call) (*Answer, error) {
	for {
		key, s, err := p.start(ctx, call)
		if err != nil {
			return nil, err
		}
		answer, err := key.Limiter.run(ctx, call, s, key.Completer)
		if err == nil || !p.setAside(key, err) {
			return answer, err
		}
	}
}

func (p *KeyPool) start(ctx context.Context, call *Call) (*pooledKey, started, error) {
	tokens := 0
	if p.limitsTokens {
		tokens = EstimateTokens(call)
	}
	if p.line.empty() {
		if key, s, wait, err := p.tryStart(tokens); err != nil || wait <= 0 {
			return key, s, err
		}
	}
	return p.startInLine(ctx, call, tokens)
}

func (p *KeyPool) startInLine(ctx context.Context, call *Call, tokens int) (key *pooledKey, s started, err error) {
	err = p.line.wait(ctx, call, func() (wait time.Duration, err error) {
		key, s, wait, err = p.tryStart(tokens)
		return wait, err
	})
	return key, s, err
}

// tryStart starts a call with the best key, or returns how long all of them are busy.
func (p *KeyPool) tryStart(tokens int) (*pooledKey, started, time.Duration, error) {
	for {
		key, wait := p.best()
		if key == nil {
			return nil, started{}, 0, p.refused()
		}
		if wait > 0 {
			return nil, started{}, wait, nil
		}
		s, wait := key.Limiter.tryStart(tokens)
		if wait <= 0 {
			return key, s, 0, nil
		}
		if len(p.keys) == 1 {
			return nil, started{}, wait, nil
		}
		// Another call was quicker, so that another key may be better now.
	}
}

// best returns the key that is free first, and how long until then; nil when all are put aside.
func (p *KeyPool) best() (best *pooledKey, wait time.Duration) {
	if len(p.keys) == 1 {
		if p.keys[0].aside.Load() {
			return nil, 0
		}
		return p.keys[0], 0
	}
	first, calls := int(p.next.Add(1)%uint32(len(p.keys))), 0
	for i := range p.keys {
		key := p.keys[(first+i)%len(p.keys)]
		if key.aside.Load() {
			continue
		}
		w, n := key.Limiter.load()
		if best == nil || w < wait || w == wait && n < calls {
			best, wait, calls = key, w, n
		}
	}
	return best, wait
}

// setAside puts the key aside if err says that it is of no more use, and tells whether the call should try another one.
func (p *KeyPool) setAside(key *pooledKey, err error) bool {
	kind := batch.KindOf(err)
	e, ok := errors.AsType[*Error](err)
	refused := ok && kind == batch.ErrAuthentication && e.Status == 401
	if !refused && kind != batch.ErrQuotaExceeded {
		return false
	}
	p.mu.Lock()
	first := !key.aside.Load()
	if first && !refused && p.left() == 1 {
		p.mu.Unlock()
		return false
	}
	if first {
		key.reason = err
		key.aside.Store(true)
	}
	p.mu.Unlock()
	if first {
		p.line.notify()
		if p.onSetAside != nil {
			p.onSetAside(key.Name, err)
		}
	}
	return true
}

func (p *KeyPool) left() int {
	n := 0
	for _, key := range p.keys {
		if !key.aside.Load() {
			n++
		}
	}
	return n
}

// refused returns the error of a pool that has no key left.
func (p *KeyPool) refused() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	reasons := make([]string, len(p.keys))
	for i, key := range p.keys {
		reasons[i] = fmt.Sprintf("%s (%v)", key.Name, key.reason)
	}
	return &Error{
		Kind: batch.ErrAuthentication, Status: 401, Header: noHeader, Fatal: true,
		Err: fmt.Errorf("no usable API key is left: %s: check or replace the keys", strings.Join(reasons, ", ")),
	}
}
