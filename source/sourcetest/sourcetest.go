// Package sourcetest is the conformance suite of sources: what the engine relies on, whatever the source is made of.
package sourcetest

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/gluepipe/gluepipe/stages/batch"
)

// Run tests the sources that open makes. Each must yield the given requests, which have ids and survive a round trip
// through JSON, and must then end. What a source needs besides is freed by t.Cleanup.
//
// It looks for leaked goroutines: don't run it in parallel with other tests.
func Run(t *testing.T, open func(t *testing.T, requests []batch.Request) batch.Source) {
	t.Helper()
	for _, c := range []struct {
		name string
		test func(t *testing.T, open func(n int) (batch.Source, []batch.Request))
	}{
		{"YieldsEveryRequestOnceAndInOrder", yieldsAll},
		{"EndsAgainAndAgain", endsAgain},
		{"IsEmptyWithoutRequests", empty},
		{"LeavesTheRequestsAsTheyWere", leavesRequests},
		{"TakesNothingMoreOnceTheContextHasEnded", obeysEndedContext},
		{"ClosesBeforeItsEnd", closesEarly},
		{"ClosesUnread", closesUnread},
		{"ClosesTwice", closesTwice},
	} {
		t.Run(c.name, func(t *testing.T) {
			before := goleak.IgnoreCurrent()
			t.Cleanup(func() { goleak.VerifyNone(t, before) }) // runs after the cleanups that open registers
			c.test(t, func(n int) (batch.Source, []batch.Request) {
				all := requests(n)
				return open(t, all), all
			})
		})
	}
}

func yieldsAll(t *testing.T, open func(int) (batch.Source, []batch.Request)) {
	t.Helper()
	source, want := open(1000)
	defer closeSource(t, source)
	origins := make(map[string]bool)
	for i := range want {
		item, err := source.Next(t.Context())
		require.NoError(t, err, "item %d", i)
		require.NotNil(t, item, "item %d", i)
		require.NotNil(t, item.Request, "item %d", i)
		require.Nil(t, item.Result, "item %d is a request, and has no outcome yet", i)
		require.JSONEq(t, encode(t, want[i]), encode(t, *item.Request), "item %d", i)
		require.NotEmpty(t, item.Origin, "item %d says where it came from", i)
		require.False(t, origins[item.Origin], "two items came from %q", item.Origin)
		origins[item.Origin] = true
		item.Request = nil // an item belongs to the engine: no later one may depend on it
	}
	expectEnd(t, source)
}

func endsAgain(t *testing.T, open func(int) (batch.Source, []batch.Request)) {
	t.Helper()
	source, _ := open(1)
	defer closeSource(t, source)
	_, err := source.Next(t.Context())
	require.NoError(t, err)
	for range 3 {
		expectEnd(t, source)
	}
}

func empty(t *testing.T, open func(int) (batch.Source, []batch.Request)) {
	t.Helper()
	source, _ := open(0)
	defer closeSource(t, source)
	expectEnd(t, source)
}

func leavesRequests(t *testing.T, open func(int) (batch.Source, []batch.Request)) {
	t.Helper()
	source, given := open(20)
	defer closeSource(t, source)
	for range given {
		_, err := source.Next(t.Context())
		require.NoError(t, err)
	}
	expectEnd(t, source)
	require.Equal(t, requests(20), given)
}

func obeysEndedContext(t *testing.T, open func(int) (batch.Source, []batch.Request)) {
	t.Helper()
	source, want := open(20)
	defer closeSource(t, source)
	for i := range 5 {
		item, err := source.Next(t.Context())
		require.NoError(t, err)
		require.Equal(t, want[i].ID, item.Request.ID)
	}
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	// What a source has read ahead it may still yield; then it must say that it stopped.
	next := 5
	for {
		item, err := source.Next(ended)
		if err != nil {
			require.Nil(t, item, "an item beside an error would be lost")
			if err != io.EOF {
				require.ErrorIs(t, err, context.Canceled)
			}
			break
		}
		require.Less(t, next, len(want), "an item that nobody gave")
		require.Equal(t, want[next].ID, item.Request.ID, "items are lost when the context ends")
		next++
	}
}

func closesEarly(t *testing.T, open func(int) (batch.Source, []batch.Request)) {
	t.Helper()
	source, _ := open(100)
	_, err := source.Next(t.Context())
	require.NoError(t, err)
	closeSource(t, source)
}

func closesUnread(t *testing.T, open func(int) (batch.Source, []batch.Request)) {
	t.Helper()
	source, _ := open(100)
	closeSource(t, source)
}

func closesTwice(t *testing.T, open func(int) (batch.Source, []batch.Request)) {
	t.Helper()
	source, _ := open(3)
	closeSource(t, source)
	closeSource(t, source)
}

func expectEnd(t *testing.T, source batch.Source) {
	t.Helper()
	item, err := source.Next(t.Context())
	require.Equal(t, io.EOF, err)
	require.Nil(t, item)
}

func closeSource(t *testing.T, source batch.Source) {
	t.Helper()
	require.NoError(t, source.Close())
}

func requests(n int) []batch.Request {
	all := make([]batch.Request, n)
	for i := range all {
		all[i] = batch.Request{ID: fmt.Sprintf("r%d", i), UserMessage: fmt.Sprintf("Message %d\nwith \"quotes\", ünïcode", i)}
		switch i % 3 {
		case 1:
			all[i].Model, all[i].Timeout = "mock:echo", 1500*time.Millisecond
			all[i].Metadata = map[string]any{"row": json.Number(fmt.Sprint(i)), "tags": []any{"a", nil, true}}
		case 2:
			all[i].UserMessage = ""
			all[i].Messages = []batch.Message{batch.SystemMessage("Be brief."), batch.UserMessage("Hello")}
			all[i].Params = map[string]any{"temperature": json.RawMessage("0")}
		}
	}
	return all
}

func encode(t *testing.T, request batch.Request) string {
	t.Helper()
	data, err := request.MarshalJSON()
	require.NoError(t, err)
	return string(data)
}
