package llm_test

import (
	"io"
	"math"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/gluepipe/gluepipe/stages/batch"
	"github.com/gluepipe/gluepipe/stages/llm"
)

// bodyCase is the body of a 200.
type bodyCase struct {
	body string
	want outcome
}

// answerWith is a good answer with something instead of its usage.
func answerWith(usage string) string {
	return `{"model":"m","choices":[{"message":{"content":"Hi"},"finish_reason":"stop"}],"usage":` + usage + `}`
}

func message(members string) string { return `{"choices":[{"message":{` + members + `}}]}` }

var hostileBodies = map[string]bodyCase{
	// No answer at all.
	"nothing":            {"", serverFailed.saying("200 OK: the answer is empty")},
	"blanks":             {" \r\n\t ", serverFailed.saying("200 OK: the answer is empty")},
	"a mark alone":       {"\uFEFF", serverFailed.saying("200 OK: the answer is empty")},
	"garbage":            {"\x7fELF\x02\x01\x01\x00\x00\x1b[2J", serverFailed.saying("200 OK: the answer is not JSON: ELF")},
	"HTML":               {"<html><head><title>Sign in</title></head></html>", serverFailed.saying("200 OK: the answer is not JSON: Sign in")},
	"events":             {"data: {\"choices\":[{\"delta\":{\"content\":\"Hi\"}}]}\n\ndata: [DONE]\n\n", serverFailed.saying("200 OK: the answer is a stream of events, though none was asked for")},
	"events and remarks": {": OPENROUTER PROCESSING\n\ndata: {}\n\n", serverFailed.saying("a stream of events")},
	"null":               {"null", serverFailed.saying("200 OK: the answer has no choices")},
	"a list":             {"[]", serverFailed.saying("200 OK: the answer is JSON, but no chat completion")},
	"an empty object":    {"{}", serverFailed.saying("200 OK: the answer has no choices")},
	"a text":             {`"text"`, serverFailed.saying("200 OK: the answer is JSON, but no chat completion")},
	"a number":           {"42", serverFailed.saying("200 OK: the answer is JSON, but no chat completion")},
	"a list that nests":  {strings.Repeat("[", 1_000_000), serverFailed.saying("200 OK: the answer's JSON")},
	"objects that nest":  {strings.Repeat(`{"choices":`, 500_000), serverFailed.saying("200 OK: the answer's JSON")},
	"content that nests": {message(`"content":` + strings.Repeat("[", 500_000) + strings.Repeat("]", 500_000)), serverFailed.saying("200 OK: the answer's JSON is broken")},
	"a long number":      {`{"choices":` + strings.Repeat("9", 10<<20) + `}`, serverFailed.saying(`field "choices" has a wrong type`)},
	"a long text":        {`{"choices":"` + strings.Repeat("x", 50<<20) + `"}`, serverFailed.saying(`field "choices" has a wrong type`)},
	"long names":         {`{"` + strings.Repeat("x", 10<<20) + `":1}`, serverFailed.saying("no choices")},
	"two documents":      {goodBody + goodBody, serverFailed.saying("200 OK: the answer's JSON is broken")},
	"NUL bytes":          {strings.Repeat("\x00", 1000), serverFailed.saying("200 OK: the answer is not JSON")},
	"NUL in a text":      {message(`"content":"a` + "\x00" + `b"`), serverFailed.saying("200 OK: the answer's JSON is broken")},
	"NUL at the end":     {goodBody + "\x00", serverFailed.saying("200 OK: the answer's JSON")},
	"UTF-16":             {"\xff\xfe{\x00}\x00", serverFailed.saying("200 OK: the answer is not JSON")},
	"NaN":                {answerWith("NaN"), serverFailed.saying("200 OK: the answer's JSON is broken")},
	"cut off":            {goodBody[:len(goodBody)/2], serverFailed.saying("JSON ends early")},

	// An answer without one.
	"choices are a text":          {`{"choices":"Hi"}`, serverFailed.saying(`field "choices" has a wrong type`)},
	"choices are an object":       {`{"choices":{"message":{"content":"Hi"}}}`, serverFailed.saying(`field "choices" has a wrong type`)},
	"choices are texts":           {`{"choices":["Hi"]}`, serverFailed.saying("wrong type")},
	"choices are null":            {`{"choices":null}`, serverFailed.saying("no choices")},
	"choice is null":              {`{"choices":[null]}`, serverFailed.saying("no content")},
	"message is a text":           {`{"choices":[{"message":"Hi"}]}`, serverFailed.saying("wrong type")},
	"message is null":             {`{"choices":[{"message":null}]}`, serverFailed.saying("no content")},
	"content is null":             {message(`"content":null`), serverFailed.saying("no content")},
	"content is a number":         {message(`"content":7`), serverFailed.saying("neither a text nor a list of parts")},
	"content is an object":        {message(`"content":{"text":"Hi"}`), serverFailed.saying("neither a text nor a list of parts")},
	"no tool calls":               {message(`"content":null,"tool_calls":[ ]`), serverFailed.saying("no content")},
	"tool calls are null":         {message(`"content":null,"tool_calls":null`), serverFailed.saying("no content")},
	"tool calls are a text":       {message(`"content":null,"tool_calls":"f"`), serverFailed.saying("can't be read")},
	"a tool call is a number":     {message(`"content":null,"tool_calls":[7]`), serverFailed.saying("can't be read")},
	"a function is a text":        {message(`"content":null,"tool_calls":[{"id":"1","function":"f"}]`), serverFailed.saying("can't be read")},
	"refusal is false":            {message(`"content":null,"refusal":false`), serverFailed.saying("wrong type")},
	"a delta instead":             {`{"choices":[{"delta":{"content":"Hi"}}]}`, serverFailed.saying("no content")},
	"choices twice, then none":    {`{"choices":[{"message":{"content":"Hi","tool_calls":[{}]}}],"choices":[]}`, serverFailed.saying("no choices")},
	"choices twice, then others":  {`{"choices":[{"message":{"content":"Hi","tool_calls":[{}]}}],"choices":[{"message":{}}]}`, serverFailed.saying("contradicts itself")},
	"choices twice, then silence": {`{"choices":[{"message":{"content":"Hi","reasoning":"x"}}],"choices":[{"message":{}}]}`, serverFailed.saying("contradicts itself")},
	"finish_reason without end":   {`{"choices":[{"message":{},"finish_reason":"` + strings.Repeat("x", 1<<20) + `"}]}`, serverFailed.saying("no content")},

	// An answer all the same.
	"a mark before it":                 {"\uFEFF" + goodBody, answered},
	"blanks around it":                 {"\n\n \r\n" + goodBody + "\n\n", answered},
	"invalid UTF-8 elsewhere":          {strings.Replace(goodBody, `"m"`, "\"\xff\xfe\"", 1), answered},
	"content as parts":                 {message(`"content":[{"type":"text","text":"Hi"}]`), answered},
	"content twice":                    {message(`"content":"Ho","content":"Hi"`), answered},
	"no finish_reason":                 {message(`"content":"Hi"`), answered},
	"finish_reason is null":            {`{"choices":[{"message":{"content":"Hi"},"finish_reason":null}]}`, answered},
	"finish_reason is a number":        {`{"choices":[{"message":{"content":"Hi"},"finish_reason":1}]}`, answered},
	"model is a number":                {`{"model":4,"choices":[{"message":{"content":"Hi"}}]}`, answered},
	"model without end":                {`{"model":"` + strings.Repeat("x", 1<<20) + `","choices":[{"message":{"content":"Hi"}}]}`, answered},
	"role is null":                     {message(`"role":null,"content":"Hi"`), answered},
	"usage is null":                    {answerWith("null"), answered},
	"usage is a text":                  {answerWith(`"7 tokens"`), answered},
	"usage is a list":                  {answerWith(`[7]`), answered},
	"usage is huge":                    {answerWith(`{"prompt_tokens":1e300,"completion_tokens":99999999999999999999,"total_tokens":9007199254740993}`), answered},
	"usage is negative":                {answerWith(`{"prompt_tokens":-5,"completion_tokens":-1e9,"total_tokens":-9223372036854775808}`), answered},
	"usage is a fraction":              {answerWith(`{"prompt_tokens":0.5,"completion_tokens":1.9}`), answered},
	"usage is texts":                   {answerWith(`{"prompt_tokens":"NaN","completion_tokens":"many","cost":"free"}`), answered},
	"usage has a long number":          {answerWith(`{"prompt_tokens":` + strings.Repeat("9", 10<<20) + `}`), answered},
	"cost is negative":                 {answerWith(`{"cost":-5}`), answered},
	"cost is beyond all money":         {answerWith(`{"cost":1e308}`), answered},
	"error is null, false or nothing":  {`{"error":null,"choices":[{"error":{},"message":{"content":"Hi"}}]}`, answered},
	"members that nobody knows":        {`{"x":{"y":[1,2,{"z":null}]},"choices":[{"message":{"content":"Hi","x":1},"y":2}]}`, answered},
	"choices beyond the first that do": {`{"choices":[{"message":{"content":"Hi"}},{"message":{"content":"Ho"}}]}`, answered},
}

// serveBody answers with whatever body points to.
func serveBody(body *string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) { reply(200, *body, "X-Request-Id", "req_1")(w, r) }
}

func TestHostileBodiesEndInOneResult(t *testing.T) {
	body := ""
	client := serve(t, serveBody(&body))
	for name, test := range hostileBodies {
		t.Run(name, func(t *testing.T) {
			body = test.body
			answer, err := client.Complete(t.Context(), ask("Hello"))
			test.want.require(t, answer, err)
			if err != nil {
				require.Equal(t, "req_1", asError(t, err).RequestID)
				return
			}
			require.LessOrEqual(t, len(answer.Model), 210)
			if answer.Usage != nil {
				for _, n := range []int64{answer.Usage.Prompt, answer.Usage.Completion, answer.Usage.Total} {
					require.GreaterOrEqual(t, n, int64(0))
					require.Less(t, n, int64(1e13))
				}
			}
			require.Nil(t, answer.CostUSD)
		})
	}
}

// go-openai is told apart where it reads more strictly, or less.
func TestHostileBodiesEndInOneResultThroughGoOpenAI(t *testing.T) {
	strict := map[string]bool{ // what it can't decode is a failure of the server, or a cut
		"a mark before it": true, "finish_reason is a number": true, "model is a number": true, "usage is a text": true,
		"usage is a list": true, "usage is huge": true, "usage is negative": true, "usage is a fraction": true,
		"usage is texts": true, "usage has a long number": true,
	}
	lenient := map[string]bool{"two documents": true, "NUL at the end": true}
	body := ""
	client := adaptHandler(t, serveBody(&body))
	for name, test := range hostileBodies {
		if len(test.body) > 16<<20 {
			continue // it takes seconds, and tells nothing new
		}
		t.Run(name, func(t *testing.T) {
			body = test.body
			answer, err := client.Complete(t.Context(), ask("Hello"))
			if (test.want == answered || lenient[name]) && !strict[name] {
				answered.require(t, answer, err)
				return
			}
			e := asError(t, err)
			require.Contains(t, []batch.ErrorKind{batch.ErrServer, batch.ErrAPIConnection}, e.Kind, err)
			require.True(t, e.Retryable)
			require.Less(t, len(err.Error()), 2000)
		})
	}
}

func TestToolCallsOfHostileAnswersAreReadAsFarAsTheyGo(t *testing.T) {
	body := ""
	client := serve(t, serveBody(&body))
	for calls, want := range map[string]batch.ToolCall{
		`[{}]`: {},
		`[{"id":null,"type":null,"function":null}]`:                             {},
		`[{"id":"1","function":{"arguments":"{}"}}]`:                            {ID: "1", Arguments: "{}"},
		`[{"function":{"name":"f","arguments":null}}]`:                          {Name: "f"},
		`[{"id":"1","function":{"name":"f","arguments":"{\"a\":"}}]`:            {ID: "1", Name: "f", Arguments: `{"a":`},
		`[{"id":"1","id":"2","function":{"name":"f"}}]`:                         {ID: "2", Name: "f"},
		"[{\"id\":\"1\",\"function\":{\"name\":\"f\xff\"}}]":                    {ID: "1", Name: "f\uFFFD"},
		`[{"id":"1","function":{"name":"` + strings.Repeat("f", 1<<20) + `"}}]`: {ID: "1", Name: strings.Repeat("f", 1<<20)},
	} {
		body = message(`"content":null,"tool_calls":` + calls)
		answer, err := client.Complete(t.Context(), ask("Hello"))
		require.NoError(t, err, calls)
		require.Len(t, answer.ToolCalls(), 1)
		got := answer.ToolCalls()[0]
		require.Equal(t, want, batch.ToolCall{ID: got.ID, Name: got.Name, Arguments: got.Arguments}, calls)
	}
	for _, calls := range []string{`[null]`, `[[]]`, `[{"id":7}]`, `[{"function":{"name":{}}}]`} {
		body = message(`"content":null,"tool_calls":` + calls)
		answer, err := client.Complete(t.Context(), ask("Hello"))
		serverFailed.saying("the answer's message can't be read: field \"tool_calls\": tool call 1").require(t, answer, err)
	}
}

func TestAnswersUpToTheBoundAreRead(t *testing.T) {
	for _, length := range []bool{true, false} {
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			if !length {
				_ = http.NewResponseController(w).Flush()
			}
			_, _ = io.WriteString(w, goodBody)
		}))
		for bound, want := range map[int64]outcome{
			0: answered, int64(len(goodBody)): answered, math.MaxInt64: answered,
			int64(len(goodBody)) - 1: {kind: batch.ErrServer, status: 200, text: "raise MaxResponseBytes"},
			1:                        {kind: batch.ErrServer, status: 200, text: "larger than 1 bytes"},
		} {
			client := connect(t, llm.ClientConfig{BaseURL: server.URL, MaxResponseBytes: bound})
			answer, err := client.Complete(t.Context(), ask("Hello"))
			want.require(t, answer, err)
		}
		server.Close()
	}
}

func TestInvalidUTF8GoesNoFurtherThanTheClient(t *testing.T) {
	body := message("\"content\":\"caf\xe9\",\"reasoning\":\"\xff\"")
	client := serve(t, serveBody(&body))
	call := ask("Hello")
	call.KeepRaw = true
	answer, err := client.Complete(t.Context(), call)
	require.NoError(t, err)
	require.Equal(t, "caf\uFFFD", answer.Text)
	sent, err := llm.AppendBody(nil, &llm.Call{Model: "m", Messages: []batch.Message{answer.Message}})
	require.NoError(t, err)
	require.NotContains(t, string(sent), "\xe9")
	require.NotContains(t, string(answer.Raw.Body), "\xe9")
}

func TestHostileErrorsStayShort(t *testing.T) {
	long := strings.Repeat("long ", 100_000)
	for name, body := range map[string]string{
		"message":        apiJSON(long, "t", `"c"`),
		"code and type":  apiJSON("m", long, `"`+long+`"`),
		"code, a number": apiJSON("m", "", strings.Repeat("9", 1<<18)),
		"inner code":     `{"error":{"message":"m","innererror":{"code":"` + long + `"}}}`,
		"text":           long,
		"HTML":           "<html>" + long,
		"detail":         `{"detail":[` + strings.TrimSuffix(strings.Repeat(`{"msg":"m"},`, 10_000), ",") + `]}`,
	} {
		for _, status := range []int{200, 400, 429, 503} {
			client := serve(t, reply(status, body, "X-Request-Id", long))
			_, err := client.Complete(t.Context(), ask("Hello"))
			e := asError(t, err)
			require.Less(t, len(err.Error()), 2000, name)
			require.LessOrEqual(t, len(e.Code), 210, name)
			require.LessOrEqual(t, len(e.RequestID), 210, name)
		}
	}
}
