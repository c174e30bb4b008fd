package h1

import "slices"

// Idle returns how many idle connections are open and quiet. Those that aren't are taken out.
func (t *Transport) Idle() (n int) {
	t.pool.mu.Lock()
	defer t.pool.mu.Unlock()
	for address, stack := range t.pool.idle {
		t.pool.idle[address] = slices.DeleteFunc(stack, func(c *conn) bool {
			open := c.alive()
			if !open {
				c.close()
			}
			return !open
		})
		n += len(t.pool.idle[address])
	}
	return n
}
