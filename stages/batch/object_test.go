package batch

import (
	"bytes"
	"encoding/json"
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// FuzzOneWayOfReadingJSONFindsWhatTheOtherFinds compares what reads requests and results quickly with encoding/json, which
// reads what the quick way leaves to it.
func FuzzOneWayOfReadingJSONFindsWhatTheOtherFinds(f *testing.F) {
	for _, path := range []string{"testdata/requests.jsonl", "testdata/results.jsonl"} {
		file, err := os.ReadFile(path)
		require.NoError(f, err)
		for line := range bytes.Lines(file) {
			f.Add(line)
		}
	}
	for _, text := range []string{
		``, `null`, `{}`, `{"":[]}`, `{"":1,"":2}`, ` { "a" : [ 1 , "x" ] } `, `{"a":1,"a":2}`, `{"a":{"b":1,"b":{"c":2}},"a":{"d":1}}`,
		`{"\u0061":1}`, `{"a":"\ud800"}`,
		"{\"\xff\":1}", "{\"a\":\"\xff\"}", `{"a":[1,{"b":null}],"c":true,"d":-0.0e1}`, `{"a":1}x`, `[1]`, `{"a":[}`, `{"a":01}`,
		`{"a":` + strings.Repeat("[", 250) + strings.Repeat("]", 250) + `}`,
		`{"a":1,"b":2,"c":3,"d":4,"e":5,"f":6,"g":7,"h":8,"i":9,"j":10,"k":11,"l":12,"m":13,"n":14,"o":15,"p":16,"q":17,"r":18}`,
	} {
		f.Add([]byte(text))
	}
	f.Fuzz(func(t *testing.T, data []byte) { requireReadAlike(t, data) })
}

func requireReadAlike(t *testing.T, data []byte) {
	t.Helper()
	var room room
	got, gotErr := readObject(data, &room)
	want, wantErr := readAnyObject(data, new(error))
	require.Equal(t, wantErr, gotErr)
	if wantErr != nil {
		return
	}
	members := want.rest()
	require.Equal(t, members, got.rest())
	for name, raw := range members {
		found, _ := got.takeAny(name)
		require.Equal(t, raw, found)
		_, again := got.takeAny(name)
		require.False(t, again)
	}
	var gotMap, wantMap map[string]any
	(&object{members: []member{{[]byte("m"), data}}, err: new(error)}).numbers("m", &gotMap)
	dec := json.NewDecoder(bytes.NewReader(data))
	dec.UseNumber()
	require.NoError(t, dec.Decode(&wantMap))
	require.Equal(t, wantMap, gotMap)
	for _, raw := range members {
		switch raw[0] {
		case '{':
			requireReadAlike(t, raw)
		case '[':
			var elements []json.RawMessage
			require.NoError(t, json.Unmarshal(raw, &elements))
			found, err := readElements(raw, nil)
			require.NoError(t, err)
			require.Len(t, found, len(elements))
			for i := range found {
				require.Equal(t, string(elements[i]), string(found[i]))
			}
		case '"':
			var text string
			require.NoError(t, json.Unmarshal(raw, &text))
			require.Equal(t, text, unquote(raw))
		}
	}
}

func TestOfTwoMembersWithTheSameNameTheLastCounts(t *testing.T) {
	var r Request
	line := `{"id":"a","id":"b","params":{"x":1,"x":2},"metadata":{"y":1,"y":{"z":1},"y":"c"},"messages":[{"role":"a","role":"user"}]}`
	require.NoError(t, r.UnmarshalJSON([]byte(line)))
	require.Equal(t, "b", r.ID)
	require.Equal(t, map[string]any{"x": json.RawMessage("2")}, r.Params)
	require.Equal(t, map[string]any{"y": "c"}, r.Metadata)
	require.Equal(t, []Message{{Role: "user"}}, r.Messages)
}

func TestAnObjectOfVeryManyMembersIsRead(t *testing.T) {
	line := "{" + strings.Repeat(`"a":1,`, 1<<17) + `"id":"x"}` // hours, were each name looked for among all
	var r Request
	require.NoError(t, r.UnmarshalJSON([]byte(line)))
	require.Equal(t, "x", r.ID)
}
