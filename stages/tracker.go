package stages

import (
	"strconv"
	"strings"
	"sync"
	"time"
	"unicode"

	"github.com/gluepipe/gluepipe/stages/batch"
)

// InFlight is a request that is in work, and for how long already.
type InFlight struct {
	ID  string
	Age time.Duration // since its first attempt began; retries and all waits in between included
}

// String returns the request and its age for people, such as "r17 2m10s". A long id is shortened.
func (f InFlight) String() string {
	const longest = 40
	id := f.ID
	if len(id) > longest {
		id = strings.ToValidUTF8(id[:longest], "") + "..."
	}
	if strings.ContainsFunc(id, func(r rune) bool { return !unicode.IsPrint(r) }) {
		id = strconv.Quote(id)
	}
	return id + " " + f.Age.Round(time.Second).String()
}

// Tracker knows which requests of a run are in work: from the beginning of their first attempt until they are settled. It is
// told by the stages that share an [Executor]; without [Retry] among them, what could be retried is never taken for settled.
// The zero value is ready to use. It is safe for concurrent use.
type Tracker struct {
	mu      sync.Mutex
	flights map[*batch.Item]*flight
	oldest  *flight
	newest  *flight
	free    *flight // to be used again

	settled  int
	settling time.Duration // how long all that are settled took
}

// flight is a request in a list by age.
type flight struct {
	id           string
	began        time.Time
	older, newer *flight
}

// Slowest returns up to n requests that take markedly longer than the others, the slowest first: longer than 10 seconds, and
// than 3 times what a request took on average until now.
func (t *Tracker) Slowest(n int) []InFlight {
	const (
		patience = 10 * time.Second
		markedly = 3
	)
	t.mu.Lock()
	defer t.mu.Unlock()
	limit := patience
	if t.settled > 0 {
		limit = max(limit, markedly*(t.settling/time.Duration(t.settled)))
	}
	var slowest []InFlight
	for f := t.oldest; f != nil && len(slowest) < n; f = f.newer {
		age := time.Since(f.began)
		if age <= limit {
			break
		}
		slowest = append(slowest, InFlight{ID: f.id, Age: age})
	}
	return slowest
}

// begin notes that an attempt begins. Like end, it does nothing on nil.
func (t *Tracker) begin(item *batch.Item) {
	if t == nil {
		return
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.flights[item] != nil {
		return // a retry
	}
	f := t.free
	if f == nil {
		f = new(flight)
	} else {
		t.free = f.newer
	}
	*f = flight{id: item.ID(), began: time.Now(), older: t.newest}
	if t.newest == nil {
		t.oldest = f
	} else {
		t.newest.newer = f
	}
	t.newest = f
	if t.flights == nil {
		t.flights = make(map[*batch.Item]*flight)
	}
	t.flights[item] = f
}

// end notes that an item is settled.
func (t *Tracker) end(item *batch.Item) {
	if t == nil {
		return
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	f := t.flights[item]
	if f == nil {
		return
	}
	delete(t.flights, item)
	if f.older == nil {
		t.oldest = f.newer
	} else {
		f.older.newer = f.newer
	}
	if f.newer == nil {
		t.newest = f.older
	} else {
		f.newer.older = f.older
	}
	t.settled++
	t.settling += time.Since(f.began)
	*f = flight{newer: t.free}
	t.free = f
}
