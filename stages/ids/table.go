package ids

import (
	"hash/maphash"
	"math/bits"
)

// table keeps hashes, in shards that grow one by one: it never stands in memory twice.
type table struct {
	seed   maphash.Seed
	shards [256]shard
}

func (t *table) init() { t.seed = maphash.MakeSeed() }

// hash returns the hash of an id, which is never 0.
func (t *table) hash(id string) uint64 { return max(maphash.String(t.seed, id), 1) }

func (t *table) shard(hash uint64) *shard { return &t.shards[shardOf(hash)] }

func shardOf(hash uint64) int { return int(hash >> 56) }

// shard is a hash table with linear probing; 0 is a free slot.
type shard struct {
	slots []uint64
	notes []uint32 // what is noted of each slot; nil in a set
	used  int
}

// find returns the slot that holds hash, or the free one where it belongs. There must be slots.
func (s *shard) find(hash uint64) (slot int, found bool) {
	// The bits that chose the shard are the same for all of it. The slots are as many as they are, not a power of two.
	home, _ := bits.Mul64(hash<<8, uint64(len(s.slots)))
	for slot = int(home); ; slot++ {
		if slot == len(s.slots) {
			slot = 0
		}
		if s.slots[slot] == hash {
			return slot, true
		}
		if s.slots[slot] == 0 {
			return slot, false
		}
	}
}

// holds tells which slot has hash, if any.
func (s *shard) holds(hash uint64) (slot int, found bool) {
	if len(s.slots) == 0 {
		return 0, false
	}
	return s.find(hash)
}

// add returns the slot of hash, and whether it was there already.
func (s *shard) add(hash uint64, noted bool) (slot int, found bool) {
	if 8*(s.used+1) > 7*len(s.slots) {
		s.grow(noted)
	}
	slot, found = s.find(hash)
	if !found {
		s.slots[slot] = hash
		s.used++
	}
	return slot, found
}

// grow makes room for an eighth more.
func (s *shard) grow(noted bool) {
	old := *s
	size := len(old.slots) + max(len(old.slots)/8, 8)
	s.slots = make([]uint64, size)
	if noted {
		s.notes = make([]uint32, size)
	}
	for from, hash := range old.slots {
		if hash == 0 {
			continue
		}
		to, _ := s.find(hash)
		s.slots[to] = hash
		if noted {
			s.notes[to] = old.notes[from]
		}
	}
}
