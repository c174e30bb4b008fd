package sink_test

import (
	"bytes"
	"encoding/json"
	"math"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/gluepipe/gluepipe/sink"
	"github.com/gluepipe/gluepipe/stages/batch"
)

const (
	fingerprint = "v1:00112233445566778899aabbccddeeff"
	chat        = `{"id":"chatcmpl-1","choices":[{"message":{"content":"4"},"finish_reason":"stop"}],"usage":{"total_tokens":3}}`
)

// answered is a result with the answer as it came.
func answered(r *batch.Result, status int, body string) *batch.Result {
	r.Fingerprint = fingerprint
	r.Raw = &batch.RawAnswer{Status: status, RequestID: "req_1", Body: []byte(body)}
	return r
}

func failed(err error) *batch.Result {
	r := &batch.Result{ID: "r1", Index: 6, Fingerprint: fingerprint, Attempts: 1}
	r.SetError(err)
	return r
}

func batchLinesOf(tb testing.TB, results ...*batch.Result) string {
	tb.Helper()
	var out bytes.Buffer
	require.NoError(tb, sink.Batch(&out).Write(tb.Context(), results))
	return out.String()
}

func TestALineHasTheShapeOfTheBatchAPI(t *testing.T) {
	const (
		ours       = `{"id":"batch_req_v1_00112233445566778899aabbccddeeff_6","custom_id":"r1","response":`
		refusal    = `{"error":{"message":"too long","code":"context_length_exceeded"}}`
		usage      = `"usage":{"prompt_tokens":1,"completion_tokens":2,"total_tokens":3}`
		completion = `{"id":"chatcmpl-r1","object":"chat.completion","created":0,"model":"","choices":[{"index":0,"message":`
	)
	plain := func() *batch.Result {
		r := success("r1", 6)
		r.Fingerprint, r.Response = fingerprint, "4 < 5"
		return r
	}
	nobody := func(change func(r *batch.Result)) *batch.Result {
		r := plain()
		change(r)
		return r
	}
	cost := 0.5
	for name, c := range map[string]struct {
		result *batch.Result
		want   string
	}{
		"an answer stands as it came": {
			answered(plain(), 200, chat), ours + `{"status_code":200,"request_id":"req_1","body":` + chat + `},"error":null}`,
		},
		"spaces in an answer stay, and line breaks between its members go": {
			answered(plain(), 200, "{ \"a\": \"x\\ny <&>\" }\n"),
			ours + `{"status_code":200,"request_id":"req_1","body":{ "a": "x\ny <&>" }},"error":null}`,
		},
		"an answer of several lines is made one": {
			answered(plain(), 200, "{\r\n  \"a\": \"<b>\",\n  \"n\": 1.0\n}"),
			ours + `{"status_code":200,"request_id":"req_1","body":{"a":"<b>","n":1.0}},"error":null}`,
		},
		"bytes that are not UTF-8 are marked": {
			answered(plain(), 200, "{\"a\":\"\xff\"}"),
			ours + `{"status_code":200,"request_id":"req_1","body":{"a":"` + "\uFFFD" + `"}},"error":null}`,
		},
		"what the server refused has its status and error": {
			answered(failed(batch.ErrTokenLimit.Errorf("status 400: too long")), 400, refusal),
			ours + `{"status_code":400,"request_id":"req_1","body":` + refusal + `},"error":null}`,
		},
		"a refusal that is not JSON is a message": {
			answered(failed(batch.ErrServer.Errorf("status 502")), 502, "<html>\n\"bad\" gateway\xff</html>\n"),
			ours + `{"status_code":502,"request_id":"req_1",` +
				`"body":{"error":{"message":"<html>\n\"bad\" gateway` + "\uFFFD" + `</html>"}}},"error":null}`,
		},
		"a refusal without a body has the result's error": {
			answered(failed(batch.ErrServer.Errorf("status 503")), 503, ""),
			ours + `{"status_code":503,"request_id":"req_1","body":{"error":{"message":"status 503"}}},"error":null}`,
		},
		"what no server answered has no response": {
			failed(batch.ErrAPIConnection.Errorf("connection refused")),
			ours + `null,"error":{"code":"APIConnectionError","message":"connection refused"}}`,
		},
		"an answer that was cut off stays beside its error": {
			answered(failed(batch.ErrTruncated.Errorf("cut at 10 tokens")), 200, chat),
			ours + `{"status_code":200,"request_id":"req_1","body":` + chat + `},` +
				`"error":{"code":"TruncatedError","message":"cut at 10 tokens"}}`,
		},
		"an answer that is not JSON stays beside its error": {
			answered(failed(batch.ErrServer.Errorf("broken")), 200, "<html>"),
			ours + `{"status_code":200,"request_id":"req_1","body":{"error":{"message":"<html>"}}},` +
				`"error":{"code":"ServerError","message":"broken"}}`,
		},
		"an error of another attempt than the last answer's stands beside it": {
			answered(failed(batch.ErrAPIConnection.Errorf("reset")), 500, `{"error":{}}`),
			ours + `{"status_code":500,"request_id":"req_1","body":{"error":{}}},"error":{"code":"APIConnectionError","message":"reset"}}`,
		},
		"a timeout after an answer stands beside it": {
			answered(failed(batch.ErrAPITimeout.Errorf("no answer in time")), 500, `{"error":{}}`),
			ours + `{"status_code":500,"request_id":"req_1","body":{"error":{}}},` +
				`"error":{"code":"APITimeoutError","message":"no answer in time"}}`,
		},
		"a timeout that the server tells is its refusal": {
			answered(failed(batch.ErrAPITimeout.Errorf("status 408")), 408, `{"error":{"message":"slow"}}`),
			ours + `{"status_code":408,"request_id":"req_1","body":{"error":{"message":"slow"}}},"error":null}`,
		},
		"an answer that nobody kept is made of the result": {
			plain(), ours + `{"status_code":200,"request_id":"","body":` + completion +
				`{"role":"assistant","content":"4 < 5"},"finish_reason":"stop"}],` + usage + `}},"error":null}`,
		},
		"its tool calls and cost too": {
			nobody(func(r *batch.Result) {
				r.Response, r.CostUSD, r.ToolCalls = "", &cost, []batch.ToolCall{{ID: "c1", Name: "now", Arguments: "{}"}}
			}),
			ours + `{"status_code":200,"request_id":"","body":` + completion +
				`{"role":"assistant","content":null,"tool_calls":[{"id":"c1","type":"function","function":{"name":"now","arguments":"{}"}}]},` +
				`"finish_reason":"tool_calls"}],` + strings.TrimSuffix(usage, "}") + `,"cost":0.5}}},"error":null}`,
		},
		"its structured output": {
			nobody(func(r *batch.Result) { r.Response, r.StructuredOutput = "", json.RawMessage(`{"a":1}`) }),
			ours + `{"status_code":200,"request_id":"","body":` + completion +
				`{"role":"assistant","content":"{\"a\":1}"},"finish_reason":"stop"}],` + usage + `}},"error":null}`,
		},
		"its embedding": {
			nobody(func(r *batch.Result) { r.Embedding = []float32{0.5, float32(math.NaN())} }),
			ours + `{"status_code":200,"request_id":"","body":{"object":"list","data":[{"object":"embedding","index":0,"embedding":[0.5,null]}],` +
				`"model":"",` + usage + `}},"error":null}`,
		},
		"a success that didn't come from the last answer is made of the result": {
			answered(plain(), 500, `{"error":{"message":"down"}}`), ours + `{"status_code":200,"request_id":"","body":` + completion +
				`{"role":"assistant","content":"4 < 5"},"finish_reason":"stop"}],` + usage + `}},"error":null}`,
		},
		"part of an answer that nobody kept stays beside its error": {
			func() *batch.Result {
				r := failed(batch.ErrTruncated.Errorf("cut"))
				r.Response, r.FinishReason = "The cap", "length"
				return r
			}(),
			ours + `{"status_code":200,"request_id":"","body":` + completion +
				`{"role":"assistant","content":"The cap"},"finish_reason":"length"}]}},"error":{"code":"TruncatedError","message":"cut"}}`,
		},
		"a result without a fingerprint is known by its index": {
			nobody(func(r *batch.Result) { answered(r, 200, `{}`); r.ID, r.Fingerprint = "quote \" and ü", "" }),
			`{"id":"batch_req_6","custom_id":"quote \" and ü","response":{"status_code":200,"request_id":"req_1","body":{}},"error":null}`,
		},
	} {
		t.Run(name, func(t *testing.T) {
			require.Equal(t, c.want+"\n", batchLinesOf(t, c.result))
			require.True(t, json.Valid([]byte(c.want)))
			path := writeFile(t, c.want+"\n")
			records, err := sink.ReadBatchRecords(path)
			require.NoError(t, err)
			require.Equal(t, c.result.Success, records.Earlier().SuccessfulRequests == 1, "a reader tells success from failure")
			if !c.result.Success {
				require.Equal(t, map[batch.ErrorKind]int{c.result.ErrorType: 1}, records.Earlier().FailedByType)
			}
			done, err := records.Done(c.result.ID, c.result.Fingerprint)
			require.NoError(t, err)
			require.True(t, done)
		})
	}
}

func TestABatchLineThatCannotBeMadeIsNamedAndTheOthersAreWritten(t *testing.T) {
	broken := success("b", 1)
	broken.ToolCalls = []batch.ToolCall{{Name: "now", Extra: map[string]json.RawMessage{"x": json.RawMessage("{")}}}
	var out bytes.Buffer
	err := sink.Batch(&out).Write(t.Context(), []*batch.Result{success("a", 0), broken, success("c", 2)})
	require.ErrorContains(t, err, `encoding the result of request 2: result "b": `)
	require.Equal(t, 2, strings.Count(out.String(), "\n"))
	require.NotContains(t, out.String(), `"b"`)
}
