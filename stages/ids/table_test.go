package ids

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func TestHashesThatWantTheSameSlotAreAllKept(t *testing.T) {
	for _, home := range []uint64{0, 0xFFFFFF << 32} { // the first slot, and the last one
		var s shard
		for i := uint64(1); i < 1000; i++ {
			slot, found := s.add(home+i, true)
			require.False(t, found)
			s.notes[slot] = uint32(i)
		}
		for i := uint64(1); i < 1000; i++ {
			slot, found := s.holds(home + i)
			require.True(t, found)
			require.EqualValues(t, i, s.notes[slot])
		}
		_, found := s.holds(home + 1000)
		require.False(t, found)
	}
}
