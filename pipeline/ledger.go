package pipeline

import (
	"sync"

	"github.com/gluepipe/gluepipe/stages/batch"
)

// ledger knows the items that are between source and sink, so that none is lost or delivered twice unnoticed. It holds at
// most as many as there are credits.
type ledger struct {
	mu    sync.Mutex
	items map[*batch.Item]struct{}
	taken int
}

func (l *ledger) init(credits int) { l.items = make(map[*batch.Item]struct{}, min(credits, 1024)) }

// admit notes an item and gives it its index. It returns false if the item is in there already.
func (l *ledger) admit(item *batch.Item) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if _, there := l.items[item]; there {
		return false
	}
	l.items[item] = struct{}{}
	item.Index = int64(l.taken)
	l.taken++
	return true
}

// release strikes an item off. It returns false if it was not there: sent twice, or never taken from the source.
func (l *ledger) release(item *batch.Item) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	_, there := l.items[item]
	delete(l.items, item)
	return there
}

// count returns how many items were admitted so far.
func (l *ledger) count() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.taken
}

// rest returns what was never released.
func (l *ledger) rest() []*batch.Item {
	l.mu.Lock()
	defer l.mu.Unlock()
	rest := make([]*batch.Item, 0, len(l.items))
	for item := range l.items {
		rest = append(rest, item)
	}
	return rest
}
