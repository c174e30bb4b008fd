package llm

import (
	"net/http"
	"strings"
	"testing"
	"time"
	"unicode/utf8"
)

func FuzzDecodeReturnsAnAnswerOrAnError(f *testing.F) {
	for _, seed := range []string{
		``, ` `, `null`, `[]`, `"x"`, `{`, `{"choices":[]}`, `{"choices":[null]}`, `{"choices":[{"message":null}]}`,
		`{"choices":[{"message":{"content":"Hi"},"finish_reason":"stop"}],"usage":{"prompt_tokens":1,"cost":0.1}}`,
		`{"choices":[{"message":{"content":null,"tool_calls":[{"function":{"name":"f","arguments":null}}]}}]}`,
		`{"choices":[{"message":{"content":[{"type":"text","text":"Hi"}]}}],"usage":{"prompt_tokens":-1e99}}`,
		`{"error":{"code":429,"message":["a","b"]}}`, `{"error":"x"}`, `{"choices":[{"error":{}}]}`, `<html></html>`,
	} {
		f.Add(seed)
	}
	c := &Client{secrets: newSecrets("sk-1")}
	f.Fuzz(func(t *testing.T, body string) {
		answer, err := c.decode(&Call{}, 200, []byte(body))
		if (answer == nil) == (err == nil) {
			t.Fatalf("got %v and %v", answer, err)
		}
		if err != nil && (err.Kind == "" || err.Error() == "" || strings.Contains(err.Error(), "sk-1")) {
			t.Fatalf("got %q of kind %q", err.Error(), err.Kind)
		}
	})
}

func TestUsageThatIsNoNumberIsNone(t *testing.T) {
	for _, nonsense := range []string{`"NaN"`, `"Inf"`, `"-Infinity"`, `1e999`, `"much"`, `{}`} {
		answer, err := (&Client{}).decode(&Call{}, 200, []byte(
			`{"choices":[{"message":{"content":"Hi"}}],"usage":{"cost":`+nonsense+`}}`))
		if err != nil || answer.Text != "Hi" || answer.CostUSD != nil {
			t.Errorf("cost %s: got %+v and %v", nonsense, answer, err)
		}
	}
	for _, nonsense := range []string{`-5`, `-1e99`, `1e300`, `9223372036854775807`, `1e999`, `"many"`, `{}`} {
		answer, err := (&Client{}).decode(&Call{}, 200, []byte(
			`{"choices":[{"message":{"content":"Hi"}}],"usage":{"prompt_tokens":7,"completion_tokens":`+nonsense+`}}`))
		if err != nil || answer.Usage.Completion != 0 || answer.Usage.Total != 7 {
			t.Errorf("tokens %s: got %+v and %v", nonsense, answer, err)
		}
	}
}

func TestErrorBodyOfOpenElementsTakesNoTime(t *testing.T) {
	for _, part := range []string{"<", "<script>", "<title", "&lt"} {
		readable([]byte("<" + strings.Repeat(part, 1<<20))) // minutes, were it not linear
	}
}

func FuzzErrorBodiesBecomeOneShortLine(f *testing.F) {
	for _, seed := range []string{
		``, `null`, `[null]`, `{}`, `{"error":{"message":"m","type":"t","code":"c","param":"p","innererror":{"code":"i"}}}`,
		`[{"error":{"code":429,"details":[{"retryDelay":"34s"}]}}]`, `{"detail":[{"msg":"m"}]}`, `<title>x</title>`,
		"<p>\xff&amp;</p>", `{"error":{"code":4e2}}`,
	} {
		f.Add(503, seed)
	}
	f.Fuzz(func(t *testing.T, status int, body string) {
		parsed, ok := parseErrorBody([]byte(body))
		if !ok {
			parsed.message = readable([]byte(body))
		}
		e := newAPIError(status, http.Header{}, parsed, time.Time{})
		if e.Kind == "" || e.Error() == "" {
			t.Fatalf("got %+v", e)
		}
		if text := shorten(parsed.message, 1000); len(text) > 1003 || strings.ContainsAny(text, "\n\r") {
			t.Fatalf("got %q", text)
		}
		if !ok && !utf8.ValidString(e.Error()) {
			t.Fatalf("not UTF-8: %q", e.Error())
		}
	})
}
