package ids

import "hash/maphash"

// Index knows ids and the fingerprint of what each belongs to, of which it keeps 32 bits: another fingerprint is taken for
// the same with a chance of one in four billion. Adding is for one goroutine; finding is safe for concurrent use once that
// is over, and Hash always is.
type Index struct {
	table
}

// Entry is an id and its fingerprint as an [Index] keeps them.
type Entry struct {
	id          uint64
	fingerprint uint32 // 0 for none
}

// NewIndex returns an empty index.
func NewIndex() *Index {
	x := &Index{}
	x.init()
	return x
}

// Hash returns the entry of an id in this index. The fingerprint may be empty: it is not known.
func (x *Index) Hash(id, fingerprint []byte) Entry {
	e := Entry{id: max(maphash.Bytes(x.seed, id), 1)}
	if len(fingerprint) > 0 {
		e.fingerprint = note(maphash.Bytes(x.seed, fingerprint))
	}
	return e
}

// note shortens the hash of a fingerprint.
func note(hash uint64) uint32 { return max(uint32(hash>>32), 1) }

// Add adds an entry, and returns false where it takes the place of one of the same id.
func (x *Index) Add(e Entry) bool {
	shard := x.shard(e.id)
	slot, found := shard.add(e.id, true)
	shard.notes[slot] = e.fingerprint
	return !found
}

// Find tells whether the id is there, and whether it is there with this fingerprint. One that is empty fits any.
func (x *Index) Find(id, fingerprint string) (found, same bool) {
	hash := x.hash(id)
	shard := x.shard(hash)
	slot, found := shard.holds(hash)
	if !found {
		return false, false
	}
	earlier := shard.notes[slot]
	if earlier == 0 || fingerprint == "" {
		return true, true
	}
	return true, earlier == note(maphash.String(x.seed, fingerprint))
}
