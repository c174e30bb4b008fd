package llm

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/gluepipe/gluepipe/stages/batch"
)

// fate is what becomes of a key after a failure, and of the call.
type fate int

const (
	keep    fate = iota // the key is not to blame
	another             // it is of no use, or not now: the call goes to another one
	last                // it has no credit left, and there is no other
)

// judge puts the key aside if err says that it is of no more use.
func (p *KeyPool) judge(key *pooledKey, err error) fate {
	kind := batch.KindOf(err)
	e, ok := errors.AsType[*Error](err)
	if ok && e.Fatal && kind == batch.ErrAPIConnection && p.othersReach(key) {
		key.Limiter.rest()
		return another
	}
	refused := ok && kind == batch.ErrAuthentication && e.Status == 401
	if !refused && kind != batch.ErrQuotaExceeded {
		return keep
	}
	p.mu.Lock()
	first := !key.aside.Load()
	if first && !refused && p.left() == 1 {
		p.mu.Unlock()
		return last
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
	return another
}

// fatal returns the error of a call whose like no other call escapes.
func fatal(err error) error {
	e, ok := errors.AsType[*Error](err)
	if !ok {
		e = &Error{Kind: batch.KindOf(err), Header: noHeader, Err: err}
	}
	failure := *e
	failure.Fatal = true
	return &failure
}

// othersReach tells whether a key's server can't be reached, while another key's can.
func (p *KeyPool) othersReach(key *pooledKey) bool {
	return key.Limiter.out() && slices.ContainsFunc(p.keys, func(k *pooledKey) bool {
		return !k.aside.Load() && !k.Limiter.out()
	})
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
