package sink

import (
	"cmp"
	"hash/maphash"
	"slices"
)

// index knows the ids of an earlier run and their fingerprints, in 16 bytes an id. Two ids of a million share a hash with
// a probability of one to thirty million.
type index struct {
	seed    maphash.Seed
	entries []entry // sorted by id once the index is built
}

type entry struct {
	id          uint64 // hash of the id
	fingerprint uint64 // hash of the fingerprint, 0 where the record has none
}

func newIndex() *index { return &index{seed: maphash.MakeSeed()} }

func (x *index) add(id, fingerprint string) {
	x.entries = append(x.entries, entry{maphash.String(x.seed, id), x.hash(fingerprint)})
}

func (x *index) hash(fingerprint string) uint64 {
	if fingerprint == "" {
		return 0
	}
	return maphash.String(x.seed, fingerprint)
}

// build makes the index ready for find and returns how many ids were added more than once. Of those, the last counts.
func (x *index) build() (repeated int) {
	slices.SortStableFunc(x.entries, func(a, b entry) int { return cmp.Compare(a.id, b.id) })
	kept := x.entries[:0]
	for _, e := range x.entries {
		if n := len(kept); n > 0 && kept[n-1].id == e.id {
			kept[n-1] = e
			repeated++
			continue
		}
		kept = append(kept, e)
	}
	x.entries = slices.Clip(slices.Clone(kept)) // append has left room
	return repeated
}

// find tells whether the id is there, and whether it is there with this fingerprint. A missing fingerprint fits any.
func (x *index) find(id, fingerprint string) (found, same bool) {
	at, found := slices.BinarySearchFunc(x.entries, maphash.String(x.seed, id), func(e entry, id uint64) int {
		return cmp.Compare(e.id, id)
	})
	if !found {
		return false, false
	}
	earlier, now := x.entries[at].fingerprint, x.hash(fingerprint)
	return true, earlier == 0 || now == 0 || earlier == now
}
