package ids_test

import (
	"runtime"
	"strconv"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/gluepipe/gluepipe/stages/ids"
)

func TestASetKnowsWhatWasAdded(t *testing.T) {
	set := ids.NewSet()
	for i := range 100_000 {
		require.True(t, set.Add("request-"+strconv.Itoa(i)))
	}
	for i := range 100_000 {
		require.False(t, set.Add("request-"+strconv.Itoa(i)))
	}
	require.True(t, set.Add(""))
	require.False(t, set.Add(""))
}

func TestAnIndexTellsWhatBelongsToAnID(t *testing.T) {
	index := ids.NewIndex()
	found, _ := index.Find("a", "v1:1")
	require.False(t, found)

	require.True(t, add(index, "a", "v1:1"))
	require.True(t, add(index, "bare", ""))
	for _, c := range []struct {
		id, fingerprint string
		found, same     bool
	}{
		{"a", "v1:1", true, true},
		{"a", "v1:2", true, false},
		{"a", "", true, true},
		{"bare", "v1:1", true, true},
		{"b", "v1:1", false, false},
	} {
		found, same := index.Find(c.id, c.fingerprint)
		require.Equal(t, c.found, found, "%+v", c)
		require.Equal(t, c.same, same, "%+v", c)
	}
}

// TestAnIndexIsWhatAMapWouldBe adds ids in any order, some of them again: the last fingerprint of each counts.
func TestAnIndexIsWhatAMapWouldBe(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		index, want := ids.NewIndex(), map[string]string{}
		fingerprints := rapid.SampledFrom([]string{"", "v1:1", "v1:2"})
		for range rapid.IntRange(0, 3000).Draw(t, "additions") {
			id := "request-" + strconv.Itoa(rapid.IntRange(0, 1000).Draw(t, "id"))
			fingerprint := fingerprints.Draw(t, "fingerprint")
			_, there := want[id]
			require.Equal(t, !there, add(index, id, fingerprint))
			want[id] = fingerprint
		}
		for i := range 1001 {
			id := "request-" + strconv.Itoa(i)
			earlier, there := want[id]
			for _, now := range []string{"", "v1:1", "v1:2"} {
				found, same := index.Find(id, now)
				require.Equal(t, there, found)
				require.Equal(t, there && (earlier == "" || now == "" || earlier == now), same)
			}
		}
	})
}

func TestASetBesideAnIndexKnowsTheIDsThatTheIndexHasAndOthers(t *testing.T) {
	index := ids.NewIndex()
	for i := range 1000 {
		add(index, strconv.Itoa(i), "v1:1")
	}
	for range 2 { // each set is a run's
		set := ids.NewSetBeside(index)
		for i := range 2000 {
			require.True(t, set.Add(strconv.Itoa(i)), "%d", i)
		}
		for i := range 2000 {
			require.False(t, set.Add(strconv.Itoa(i)), "%d", i)
		}
	}
	require.True(t, ids.NewSetBeside(ids.NewIndex()).Add("a"), "an index may be empty")
}

func TestIDsTakeFewBytes(t *testing.T) {
	const n = 1_000_000
	set, index := ids.NewSet(), ids.NewIndex()
	var id []byte
	perID := func(add func()) float64 {
		before := live()
		for i := range n {
			id = strconv.AppendInt(id[:0], int64(i), 10)
			add()
		}
		return float64(live()-before) / n
	}
	require.Less(t, perID(func() { set.Add(string(id)) }), 11.0)
	require.Less(t, perID(func() { index.Add(index.Hash(id, id)) }), 16.5)
	beside := ids.NewSetBeside(index)
	require.Less(t, perID(func() { beside.Add(string(id)) }), 0.5)
	runtime.KeepAlive(set)
	runtime.KeepAlive(index)
	runtime.KeepAlive(beside)
}

func add(index *ids.Index, id, fingerprint string) bool {
	return index.Add(index.Hash([]byte(id), []byte(fingerprint)))
}

// live returns the bytes of the heap that are in use.
func live() uint64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}

func BenchmarkSetAdd(b *testing.B) {
	set := ids.NewSet()
	var id []byte
	b.ReportAllocs()
	for i := range b.N {
		id = strconv.AppendInt(append(id[:0], "request-"...), int64(i), 10)
		set.Add(string(id))
	}
}

func BenchmarkIndexAdd(b *testing.B) {
	index := ids.NewIndex()
	var id []byte
	b.ReportAllocs()
	for i := range b.N {
		id = strconv.AppendInt(append(id[:0], "request-"...), int64(i), 10)
		index.Add(index.Hash(id, id))
	}
}
