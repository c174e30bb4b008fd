package llm

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// scannedAnswers are answers that are read in one pass.
var scannedAnswers = []string{
	benchmarkAnswers["text"], benchmarkAnswers["tool"],
	` { "choices" : [ { "message" : { "content" : "Hi" } } ] } `,
	`{"choices":[{"message":{"role":"assistant","content":"caf\u00e9 \ud83d\ude00\ud800 ä \"<&>\" \u2028"},"finish_reason":"stop"}]}`,
	`{"choices":[{"message":{"content":[{"type":"text","text":"a"},{"type":"text","text":"b"}]}}],"usage":null,"error":null,"model":null}`,
	`{"choices":[{"message":{"content":null,"refusal":"I \"won't\"."},"error":{}}],"error":""}`,
	`{"choices":[{"message":{"content":null},"finish_reason":"length"}],"usage":{"prompt_tokens":1.5e1,"completion_tokens":null}}`,
	`{"choices":[{"message":{"content":"x","reasoning_content":"so","tool_calls":[]}}],"usage":{"total_tokens":"3","cost":"0.1"}}`,
	`{"choices":[{"message":{"role":"a","content":"","function_call":{"name":"f"},"x":1}}],"usage":{"cost":0.25,"prompt_tokens":-1}}`,
	`{"choices":[{"message":{"content":"x"},"finish_reason":"content_filter"}]}`, `{"choices":[{"message":{"content":"x"},"finish_reason":"error"}]}`,
	`{"choices":[{"message":{"content":1}}]}`, `{"choices":[{}]}`,
	`{"choices":[{"message":{"content":null,"tool_calls":[{"function":{"name":1}}]}}]}`,
	`{"choices":[{"message":{"content":null,"tool_calls":{"function":{"name":"f"}}}}]}`,
}

// unusualAnswers are left to encoding/json.
var unusualAnswers = []string{
	``, `null`, `[]`, `{}`, `{"choices":[]}`, `{"choices":null}`, `{"choices":{}}`, `{"choices":[null]}`, `{"choices":[{"message":null}]}`,
	`{"choices":[{"message":{"content":"a"}},{"message":{"content":"b"}}]}`, `{"choices":[{"message":{"content":"a"}}],"choices":[]}`,
	`{"Choices":[{"message":{"content":"a"}}]}`, `{"choices":[{"message":{"content":"a","Content":"b"}}]}`,
	"{\"choices\":[{\"message\":{\"content\":\"a\",\"refu\u017fal\":\"b\"}}]}", `{"choices":[{"me\u0073sage":{"content":"a"}}]}`,
	`{"choices":[{"message":{"content":"a","content":"b"}}]}`, `{"choices":[{"message":{"content":"a","role":1}}]}`,
	`{"choices":[{"message":{"content":"a"}}],"usage":[]}`, `{"choices":[{"message":{"content":"a"}}],"error":{"message":"m"}}`,
	`{"choices":[{"message":{"content":"a"},"error":{"code":500}}]}`, `{"choices":[{"message":{"content":"a"}}]}{}`,
	`{"choices":[{"message":{"content":"a"}}]`, `{"choices":[{"message":{"content":"a"}]}]}`, "\ufeff" + `{"choices":[]}`,
	"{\"choices\":[{\"message\":{\"role\":\"\xff\",\"content\":\"a\"}}]}", `{"model":1,"choices":[{"message":{"content":"a"}}]}`,
	`{"choices":[{"message":{"content":` + strings.Repeat("[", 300) + strings.Repeat("]", 300) + `}}]}`,
}

func FuzzAScannedAnswerIsTheOneThatEncodingJSONReads(f *testing.F) {
	for _, bodies := range [][]string{scannedAnswers, unusualAnswers} {
		for _, body := range bodies {
			f.Add([]byte(body))
		}
	}
	c := &Client{}
	f.Fuzz(func(t *testing.T, body []byte) {
		scanned, ok := scanAnswer(body)
		if !ok {
			return
		}
		got, gotFail := scanned.accept(200, body)
		want, wantFail := c.decodeAny(200, body)
		require.Equal(t, want, got)
		require.Equal(t, wantFail == nil, gotFail == nil)
		if wantFail != nil {
			require.EqualError(t, gotFail, wantFail.Error())
			gotFail.Err, wantFail.Err = nil, nil
			require.Equal(t, wantFail, gotFail)
		}
	})
}

func TestUsualAnswersAreReadInOnePass(t *testing.T) {
	for _, body := range scannedAnswers {
		_, ok := scanAnswer([]byte(body))
		require.True(t, ok, body)
	}
}

func TestUnusualAnswersAreLeftToEncodingJSON(t *testing.T) {
	for _, body := range unusualAnswers {
		_, ok := scanAnswer([]byte(body))
		require.False(t, ok, body)
	}
}

func TestAnAnswerKeepsNothingOfTheBuffer(t *testing.T) {
	for _, body := range scannedAnswers {
		buffer := []byte(body)
		want, _ := (&Client{}).decode(&Call{}, 200, []byte(body))
		got, _ := (&Client{}).decode(&Call{}, 200, buffer)
		for i := range buffer {
			buffer[i] = '#'
		}
		require.Equal(t, want, got)
	}
}
