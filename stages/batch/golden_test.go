package batch_test

import (
	"bytes"
	"encoding/json"
	"os"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/gluepipe/gluepipe/stages/batch"
)

func TestRequestsComeBackFromGoAsTheyWereWritten(t *testing.T) {
	for _, line := range lines(t, "testdata/requests.jsonl") {
		var r batch.Request
		requireSameAfterGo(t, line, &r)
	}
}

func TestResultsComeBackFromGoAsTheyWereWritten(t *testing.T) {
	for _, line := range lines(t, "testdata/results.jsonl") {
		var r batch.Result
		requireSameAfterGo(t, line, &r)
		require.Equal(t, r.Success, r.Err == nil)
	}
}

func TestAResponseComesBackFromGoAsItWasWritten(t *testing.T) {
	for _, line := range lines(t, "testdata/response.json") {
		var r batch.Response
		requireSameAfterGo(t, line, &r)
		require.Len(t, r.Results, 3)
		require.ErrorIs(t, r.Results[1].Err, batch.ErrServer)
	}
}

func TestTheSummaryOfAResponseIsReadWithoutItsResults(t *testing.T) {
	line := lines(t, "testdata/response.json")[0]
	var response batch.Response
	require.NoError(t, json.Unmarshal(line, &response))
	var summary batch.Summary
	require.NoError(t, json.Unmarshal(line, &summary))
	require.Equal(t, response.Summary, summary)

	data, err := json.Marshal(summary)
	require.NoError(t, err)
	var again batch.Summary
	require.NoError(t, json.Unmarshal(data, &again))
	require.Equal(t, summary, again)
}

func TestDecodingKeepsNothingOfTheCallersBuffer(t *testing.T) {
	for _, line := range lines(t, "testdata/requests.jsonl") {
		requireOwnCopy(t, line, new(batch.Request))
	}
	for _, line := range lines(t, "testdata/results.jsonl") {
		requireOwnCopy(t, line, new(batch.Result))
	}
	for _, line := range lines(t, "testdata/response.json") {
		requireOwnCopy(t, line, new(batch.Response))
	}
	for line, value := range map[string]json.Unmarshaler{
		`{"role":"user","content":[{"type":"text"}],"x":{"y":1}}`:                              new(batch.Message),
		`{"id":"c","type":"function","function":{"name":"f","arguments":"{}"},"x":[1]}`:        new(batch.ToolCall),
		`{"tool_name":"f","arguments":{"a":1},"result":"r","error":false,"elapsed_time":0.25}`: new(batch.ToolExecution),
		`"calculate"`: new(batch.Tool),
		`{"type":"function","function":{"name":"f","parameters":{"a":1}}}`: new(batch.Tool),
		`{"type":"web_search","x":1}`:                                      new(batch.Tool),
	} {
		requireOwnCopy(t, []byte(line), value)
	}
}

func requireOwnCopy(t *testing.T, line []byte, value json.Unmarshaler) {
	t.Helper()
	buffer := bytes.Clone(line)
	require.NoError(t, value.UnmarshalJSON(buffer))
	for i := range buffer {
		buffer[i] = '#'
	}
	require.Equal(t, string(line), string(encode(t, value)))
}

func TestDecodingReplacesWhatTheValueHeldBefore(t *testing.T) {
	request, result, response, summary := batch.Request{}, batch.Result{}, batch.Response{}, batch.Summary{}
	for _, line := range lines(t, "testdata/requests.jsonl") {
		require.NoError(t, request.UnmarshalJSON(line))
		require.Equal(t, string(line), string(encode(t, &request)))
	}
	for _, line := range lines(t, "testdata/results.jsonl") {
		require.NoError(t, result.UnmarshalJSON(line))
		require.Equal(t, string(line), string(encode(t, &result)))
	}
	for _, line := range lines(t, "testdata/response.json") {
		require.NoError(t, response.UnmarshalJSON(line))
		require.NoError(t, summary.UnmarshalJSON(line))
	}
	require.NoError(t, response.UnmarshalJSON([]byte(`{}`)))
	require.NoError(t, summary.UnmarshalJSON([]byte(`{}`)))
	require.Zero(t, response)
	require.Zero(t, summary)
}

func lines(t testing.TB, path string) [][]byte {
	t.Helper()
	data, err := os.ReadFile(path)
	require.NoError(t, err)
	return bytes.Split(bytes.TrimSpace(data), []byte("\n"))
}

func requireSameAfterGo(t *testing.T, line []byte, value json.Unmarshaler) {
	t.Helper()
	require.NoError(t, json.Unmarshal(line, value))
	require.Equal(t, string(line), string(encode(t, value)))
}

// encode writes a value without the escapes for HTML that json.Marshal adds.
func encode(t require.TestingT, v any) []byte {
	data, err := v.(json.Marshaler).MarshalJSON()
	require.NoError(t, err)
	require.True(t, json.Valid(data), "%s", data)
	require.NotContains(t, string(data), "\n")
	return data
}
