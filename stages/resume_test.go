package stages_test

import (
	"errors"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/gluepipe/gluepipe/stages"
	"github.com/gluepipe/gluepipe/stages/batch"
)

// earlier is an Index: ids and their fingerprints, "" for any.
type earlier map[string]string

var errMixed = errors.New(`"b" is another request than in out.jsonl`)

func (e earlier) Done(id, fingerprint string) (bool, error) {
	known, done := e[id]
	if done && known != "" && known != fingerprint {
		return false, errMixed
	}
	return done, nil
}

func TestResumeDropsWhatAnEarlierRunHasDone(t *testing.T) {
	bad := unreadable("9")
	items := append(asking("a", "b", "c", "d"), bad)
	mustRun(t.Context(), t, items, stages.Validate(stages.Defaults{Fingerprints: true}))
	items[3].Drop("not wanted")
	index := earlier{"a": items[0].Fingerprint, "c": "", "d": "", "line-9": "v1:bytes"}
	mustRun(t.Context(), t, slices.Clone(items), stages.Resume(index))
	require.Equal(t, stages.DoneEarlier, items[0].Dropped())
	require.Empty(t, items[1].Dropped())
	require.False(t, items[1].Settled())
	require.Equal(t, stages.DoneEarlier, items[2].Dropped())
	require.Equal(t, "not wanted", items[3].Dropped())
	require.Equal(t, stages.DoneEarlier, bad.Dropped(), "a bad record is known by its bytes")
}

func TestResumeBreaksTheRunWhereAnIDBelongsToAnotherRequest(t *testing.T) {
	for name, mixed := range map[string]*batch.Item{"a request": asking("b")[0], "a bad record": unreadable("1")} {
		t.Run(name, func(t *testing.T) {
			mixed.Fingerprint = ""
			items := append(asking("a"), mixed, asking("c")[0])
			came, err := run(t.Context(), items, stages.Resume(earlier{mixed.ID(): "v1:other"}))
			require.ErrorIs(t, err, errMixed)
			require.EqualError(t, err, "line 1: "+errMixed.Error())
			require.ElementsMatch(t, items, came)
			require.False(t, items[0].Settled())
			require.True(t, mixed.Result.Unfinished())
			require.True(t, items[2].Result.Unfinished())
		})
	}
}

func TestResumesErrorHasNoPlaceWhereTheItemHasNone(t *testing.T) {
	item := asking("b")[0]
	item.Origin = ""
	_, err := run(t.Context(), []*batch.Item{item}, stages.Resume(earlier{"b": "v1:other"}))
	require.EqualError(t, err, errMixed.Error())
}
