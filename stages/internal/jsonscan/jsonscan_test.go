package jsonscan_test

import (
	"bytes"
	"encoding/json"
	"os/exec"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/stretchr/testify/require"

	"github.com/gluepipe/gluepipe/stages/internal/jsonscan"
)

var texts = []string{
	``, ` `, `null`, ` true `, `false`, `nul`, `nullx`, `truefalse`, `"`, `""`, `"a`, `"a"b`, `"\"`, `"\\"`, `"\x"`, `"\u12"`,
	`"\u00e9\ud83d\ude00\ud83d\u0041\ude00\ud83d"`, `"\n\t\r\b\f\/\"\\"`, "\"a\nb\"", "\"1234567\x1f\"", "\"12345678\x1f\"",
	`"12345678\"12345678"`, "\"\xff\"", "\"ä€😀\"", "\"\u2028\"", "\"\x7f\"", `0`, `-0`, `01`, `-`, `+1`, `.5`, `1.`, `1.5e`, `1e+`,
	`1E-07`, `-12.50`, `1 2`, `{}`, `{ }`, `[]`, `[ ]`, `[1,]`, `[,1]`, `[1 2]`, `[1,2 ]`, `{"a":1,}`, `{,"a":1}`, `{"a"}`, `{"a":}`,
	`{"a" : [ 1 , {"b":null} ] , "c":"d"}`, `{"a":1 "b":2}`, `{a:1}`, `{"a\u0062":1}`, `{"":""}`, `{"a":1]`, `[1}`, `[`, `{`, `{"a":1`,
	`["a"`, `["a",`, "\ufeff{}", "{}\x00", strings.Repeat("[", 150) + strings.Repeat("]", 150),
	`{"a":` + strings.Repeat("[", 150) + strings.Repeat("]", 149) + `}`,
}

func FuzzWhatIsValidIsValidToEncodingJSON(f *testing.F) {
	for _, text := range texts {
		f.Add([]byte(text))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		valid := jsonscan.Valid(text)
		if strict := json.Valid(text); valid != strict && !deep(text) {
			t.Fatalf("%q: got %v, want %v", text, valid, strict)
		} else if valid && !strict {
			t.Fatalf("%q is not valid", text)
		}
		var compacted bytes.Buffer
		if valid && json.Compact(&compacted, text) == nil {
			require.Equal(t, compacted.String() == string(text), jsonscan.Compact(text))
		} else {
			require.False(t, jsonscan.Compact(text))
		}
	})
}

func FuzzATextIsWhatEncodingJSONReads(f *testing.F) {
	for _, text := range texts {
		f.Add([]byte(text))
	}
	f.Fuzz(func(t *testing.T, value []byte) {
		got, ok := jsonscan.Text(value)
		var want string
		isText := json.Valid(value) && value[0] == '"' && value[len(value)-1] == '"' && utf8.Valid(value)
		if ok != isText {
			t.Fatalf("%q: got %v", value, ok)
		}
		if err := json.Unmarshal(value, &want); ok && (err != nil || got != want) {
			t.Fatalf("%q: got %q, want %q", value, got, want)
		}
	})
}

// FuzzAWalkFindsWhatEncodingJSONFinds rebuilds the text from what a walk through it finds.
func FuzzAWalkFindsWhatEncodingJSONFinds(f *testing.F) {
	for _, text := range texts {
		f.Add([]byte(text))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		s := jsonscan.New(text)
		compact := walk(nil, &s)
		if !s.End() {
			return
		}
		if !json.Valid(text) {
			t.Fatalf("%q is not valid", text)
		}
		var want bytes.Buffer
		require.NoError(t, json.Compact(&want, text))
		if string(compact) != want.String() {
			t.Fatalf("got %s, want %s", compact, want.String())
		}
	})
}

func walk(dst []byte, s *jsonscan.Scanner) []byte {
	switch s.Peek() {
	case '{':
		dst = append(dst, '{')
		for name, ok := s.Object(); ok; name, ok = s.Member() {
			if dst[len(dst)-1] != '{' {
				dst = append(dst, ',')
			}
			dst = append(append(append(dst, '"'), name...), '"', ':')
			dst = walk(dst, s)
		}
		return append(dst, '}')
	case '[':
		dst = append(dst, '[')
		for more := s.List(); more; more = s.Element() {
			if dst[len(dst)-1] != '[' {
				dst = append(dst, ',')
			}
			dst = walk(dst, s)
		}
		return append(dst, ']')
	}
	return append(dst, s.Value()...)
}

func deep(text []byte) bool {
	return strings.Count(string(text), "[")+strings.Count(string(text), "{") > 150
}

func TestNestingBeyondHundredsOfLevelsIsRefused(t *testing.T) {
	require.True(t, jsonscan.Valid([]byte(strings.Repeat("[", 200)+"1"+strings.Repeat("]", 200))))
	require.False(t, jsonscan.Valid([]byte(strings.Repeat("[", 201)+"1"+strings.Repeat("]", 201))))
	s := jsonscan.New([]byte(strings.Repeat("[", 1000)))
	for s.List() {
	}
	require.False(t, s.End())
}

func TestNothingComesAfterAMistake(t *testing.T) {
	s := jsonscan.New([]byte(`{"a":tru,"b":1}`))
	name, ok := s.Object()
	require.True(t, ok)
	require.Equal(t, "a", string(name))
	require.Nil(t, s.Value())
	_, ok = s.Member()
	require.False(t, ok)
	require.False(t, s.List())
	require.Nil(t, s.Value())
	require.Zero(t, s.Peek())
	require.False(t, s.End())
}

func TestWhatIsFoundDoesNotGrowIntoWhatFollows(t *testing.T) {
	text := []byte(`{"a":1,"b":2}`)
	s := jsonscan.New(text)
	name, _ := s.Object()
	_ = append(name, "xx"...)
	_ = append(s.Value(), "xx"...)
	require.Equal(t, `{"a":1,"b":2}`, string(text))
}

func TestThePackageImportsTheStandardLibraryAlone(t *testing.T) {
	const imported = "{{if not .Standard}}{{.ImportPath}}{{end}}"
	out, err := exec.CommandContext(t.Context(), "go", "list", "-deps", "-f", imported, ".").Output()
	require.NoError(t, err)
	require.Equal(t, "github.com/gluepipe/gluepipe/stages/internal/jsonscan", strings.TrimSpace(string(out)))
}

const answer = `{"id":"chatcmpl-1","object":"chat.completion","created":1,"model":"gpt-4o-mini","choices":[{"index":0,"message":` +
	`{"role":"assistant","content":"The capital of France is Paris, a city of \"light\" on the river Seine.\nIt has two ` +
	`million people.","refusal":null},"logprobs":null,"finish_reason":"stop"}],"usage":{"prompt_tokens":19,` +
	`"completion_tokens":8,"total_tokens":27,"prompt_tokens_details":{"cached_tokens":0}}}`

func BenchmarkValid(b *testing.B) {
	text := []byte(answer)
	for name, valid := range map[string]func([]byte) bool{"jsonscan": jsonscan.Valid, "encoding/json": json.Valid} {
		b.Run(name, func(b *testing.B) {
			b.SetBytes(int64(len(text)))
			b.ReportAllocs()
			for b.Loop() {
				if !valid(text) {
					b.Fatal("not valid")
				}
			}
		})
	}
}
