package batch_test

import (
	"encoding/json"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/gluepipe/gluepipe/stages/batch"
)

func TestDeepNestingIsReadAsFarAsEncodingJSONGoes(t *testing.T) {
	nested := func(field string, depth int) []byte {
		return []byte(`{"` + field + `":{"a":` + strings.Repeat("[", depth) + strings.Repeat("]", depth) + `}}`)
	}
	for _, field := range []string{"params", "metadata", "response_format", "extra"} {
		var r batch.Request
		require.NoError(t, r.UnmarshalJSON(nested(field, 9_998)), field)
		require.Equal(t, string(nested(field, 9_998)), string(encode(t, r)), field)
		_, err := batch.Fingerprint(&r)
		require.NoError(t, err)
		require.Error(t, r.UnmarshalJSON(nested(field, 10_000)), field)
		require.Error(t, r.UnmarshalJSON(nested(field, 1_000_000)), field)
	}
	var result batch.Result
	require.NoError(t, result.UnmarshalJSON(nested("metadata", 9_998)))
	encode(t, result)
}

func TestMetadataThatHoldsItselfIsAnError(t *testing.T) {
	loop := map[string]any{}
	loop["b"], loop["a"] = loop, []any{loop}
	r := batch.Result{ID: "a", Metadata: loop}
	line, err := r.AppendJSON(nil)
	require.EqualError(t, err, `result "a": field "metadata": nested deeper than 10000 levels, or holding itself`)
	require.Empty(t, line)
	_, err = batch.Request{Metadata: loop}.MarshalJSON()
	require.EqualError(t, err, `field "metadata": nested deeper than 10000 levels, or holding itself`)
}

func TestManyGoroutinesMayReadTheSameValues(t *testing.T) {
	var request batch.Request
	var result batch.Result
	require.NoError(t, json.Unmarshal(lines(t, "testdata/requests.jsonl")[8], &request))
	require.NoError(t, json.Unmarshal(lines(t, "testdata/results.jsonl")[1], &result))
	wantRequest, wantResult, wantPrint := encode(t, request), encode(t, result), fingerprint(t, &request)

	var group sync.WaitGroup
	for range 8 {
		group.Go(func() {
			for range 20 {
				line, _ := request.MarshalJSON()
				print, _ := batch.Fingerprint(&request)
				record, _ := result.AppendJSON(nil)
				item := batch.Item{Request: &request}
				shared := result
				item.Settle(&shared)
				item.Result.SetMetadata("n", 1)
				if string(line) != string(wantRequest) || print != wantPrint || string(record) != string(wantResult) {
					t.Error("concurrent readers see different values")
				}
			}
		})
	}
	group.Wait()
}
