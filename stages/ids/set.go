package ids

// Set is a set of ids. Its methods are for one goroutine.
type Set struct {
	table
	known *Index
	taken [256]bitmap // which slots of known are in the set
}

// NewSet returns an empty set.
func NewSet() *Set {
	s := &Set{}
	s.init()
	return s
}

// NewSetBeside returns an empty set that keeps an id which the index has in one bit. The index must not be added to any more.
func NewSetBeside(known *Index) *Set { return &Set{table: table{seed: known.seed}, known: known} }

// Add adds an id, and returns false if it was in the set already.
func (s *Set) Add(id string) bool {
	hash := s.hash(id)
	if s.known != nil {
		shard := s.known.shard(hash)
		if slot, found := shard.holds(hash); found {
			return s.taken[shardOf(hash)].add(slot, len(shard.slots))
		}
	}
	_, found := s.shard(hash).add(hash, false)
	return !found
}

// bitmap is a set of small numbers.
type bitmap []uint64

// add returns false if n is in the set already. size is above all numbers.
func (b *bitmap) add(n, size int) bool {
	if *b == nil {
		*b = make(bitmap, size/64+1)
	}
	word, bit := &(*b)[n/64], uint64(1)<<(n%64)
	added := *word&bit == 0
	*word |= bit
	return added
}
