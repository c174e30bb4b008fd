package pipeline

import "sync"

// drain is the signal of an orderly end, given once: of a run, of all runs of an engine, or of all that a processor has.
type drain struct {
	begun  chan struct{}
	parent *drain // nil at the root

	mu       sync.Mutex
	children map[*drain]struct{} // begin with this one
}

func newDrain() *drain { return &drain{begun: make(chan struct{})} }

// child returns a drain that begins with d, or by itself. It must begin at some time: until then d remembers it.
func (d *drain) child() *drain {
	child := newDrain()
	child.parent = d
	d.mu.Lock()
	defer d.mu.Unlock()
	select {
	case <-d.begun:
		close(child.begun)
	default:
		if d.children == nil {
			d.children = make(map[*drain]struct{})
		}
		d.children[child] = struct{}{}
	}
	return child
}

// begin gives the signal. When it returns, all children have begun too.
func (d *drain) begin() {
	d.mu.Lock()
	defer d.mu.Unlock()
	select {
	case <-d.begun:
		return
	default:
	}
	close(d.begun)
	for child := range d.children {
		child.begin()
	}
	d.children = nil
}

// end gives the signal where nobody is left to hear it, and has the parent forget the drain.
func (d *drain) end() {
	if d.parent != nil {
		d.parent.mu.Lock()
		delete(d.parent.children, d)
		d.parent.mu.Unlock()
	}
	d.begin()
}
