package source

import (
	"encoding/json"
	"testing"
	"unicode/utf8"

	"github.com/stretchr/testify/require"

	"github.com/gluepipe/gluepipe/stages/batch"
)

func FuzzMembersAreThoseThatEncodingJSONReads(f *testing.F) {
	for _, line := range []string{
		``, `null`, `[]`, `{}`, ` { "custom_id" : "a" , "body" : { "model" : "m" } } `, `{"custom_id":"a","custom_id":"b"}`,
		`{"custom\u005fid":"a"}`, `{"custom_id":"\u00e4\ud800\n"}`, `{"custom_id":null}`, `{"custom_id":1}`, `{"custom_id":"a"}}`,
		`{"custom_id":""}`, `{"custom_id":"ä€"}`, `{"custom_id":"a",}`,
	} {
		f.Add([]byte(line))
	}
	f.Fuzz(func(t *testing.T, line []byte) {
		if !utf8.Valid(line) { // which is no line of a file of requests
			return
		}
		members, err := readMembers(line)
		var want map[string]json.RawMessage
		wantErr := json.Unmarshal(line, &want)
		require.Equal(t, wantErr == nil && want != nil, err == nil)
		if err != nil {
			return
		}
		require.Equal(t, want, members)
		var id, wantID string
		wantErr = nil
		if raw := want["custom_id"]; raw != nil {
			wantErr = json.Unmarshal(raw, &wantID)
		}
		err = readText(members, "custom_id", &id)
		require.Equal(t, wantErr == nil, err == nil)
		if err == nil {
			require.Equal(t, wantID, id)
		}
	})
}

func TestARequestOfABatchKeepsNothingOfTheLine(t *testing.T) {
	line := []byte(`{"custom_id":"a","method":"POST","url":"/v1/chat/completions","body":{"model":"m","messages":[{"role":"user",` +
		`"content":"Hi","x":[1]}],"tools":[{"type":"web_search","y":1}],"response_format":{"type":"text"},"stop":["a"]}}`)
	var want, got batch.Request
	require.NoError(t, (&BatchOptions{}).read(&want, []byte(string(line))))
	require.NoError(t, (&BatchOptions{}).read(&got, line))
	for i := range line {
		line[i] = '#'
	}
	require.Equal(t, want, got)
}
