package batch_test

import (
	"encoding/json"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/gluepipe/gluepipe/stages/batch"
)

func FuzzRequest(f *testing.F) {
	for _, line := range lines(f, "testdata/requests.jsonl") {
		f.Add(line)
	}
	f.Add([]byte(`{"id":"\ud800","timeout":9223372036.854775807,"tools":[{"type":"function","name":"f"}],"messages":[{"role":null}]}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		var first, second batch.Request
		requireStable(t, data, &first, &second)
	})
}

func FuzzMessage(f *testing.F) {
	f.Add([]byte(`{"role":"user","content":[{"type":"text","text":"a"}],"tool_calls":[{"function":{"arguments":{}}}],"x":1}`))
	f.Add([]byte(`{"content":null,"tool_calls":[{"type":"custom","custom":{}}]}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		var first, second batch.Message
		if requireStable(t, data, &first, &second) {
			require.Equal(t, first.Text(), second.Text())
		}
	})
}

func FuzzResult(f *testing.F) {
	for _, line := range lines(f, "testdata/results.jsonl") {
		f.Add(line)
	}
	f.Add([]byte(`{"success":true,"error":"x","elapsed_time":1e-9,"wait_time":-1.5e3,"cost_usd":1e-400}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		var first, second batch.Result
		requireStable(t, data, &first, &second)
	})
}

func FuzzResponse(f *testing.F) {
	for _, line := range lines(f, "testdata/response.json") {
		f.Add(line)
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		var first, second batch.Response
		requireStable(t, data, &first, &second)
	})
}

// requireStable says that what decodes encodes, and decodes again to what encodes the same. It tells whether data decodes.
func requireStable(t *testing.T, data []byte, first, second json.Unmarshaler) bool {
	t.Helper()
	if first.UnmarshalJSON(data) != nil {
		return false
	}
	line := encode(t, first)
	require.NoError(t, second.UnmarshalJSON(line), "%s", line)
	require.Equal(t, string(line), string(encode(t, second)))
	return true
}
