package jsonappend_test

import (
	"bytes"
	"encoding/json"
	"math"
	"os/exec"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/gluepipe/gluepipe/stages/internal/jsonappend"
)

func TestAStringIsWrittenAsEncodingJSONWritesIt(t *testing.T) {
	var all strings.Builder
	for c := range rune(0x3000) {
		all.WriteRune(c)
	}
	requireLikeEncodingJSON(t, all.String())
	rapid.Check(t, func(t *rapid.T) { requireLikeEncodingJSON(t, rapid.String().Draw(t, "text")) })
	rapid.Check(t, func(t *rapid.T) {
		requireLikeEncodingJSON(t, string(rapid.SliceOf(rapid.Byte()).Draw(t, "bytes")))
	})
}

func FuzzString(f *testing.F) {
	for _, s := range []string{
		"", `"\`, "<a&b>", "\x00\b\f\n\r\t\x1f\x7f", "ä€😀", "\u2027\u2028\u2029\u202a", "\xff\xed\xa0\x80a\xc3",
	} {
		f.Add(s)
	}
	f.Fuzz(requireLikeEncodingJSON[*testing.T])
}

func FuzzRawJSONIsCompactedAsEncodingJSONDoesIt(f *testing.F) {
	for _, s := range []string{"", " ", `{"a" : "b c" }`, `{"a":[1, 2]}`, "\"\xff\"", `" \" "`, " 1", "1 ", "1 2", "[1,]", "\"\u2028\""} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		want := bytes.NewBufferString("x")
		wantErr := json.Compact(want, bytes.ToValidUTF8(raw, []byte("\ufffd")))
		got, err := jsonappend.Raw([]byte("x"), raw)
		require.Equal(t, wantErr, err)
		require.Equal(t, want.String(), string(got))
	})
}

// requireLikeEncodingJSON compares bytes, but for U+FFFD in the place of broken UTF-8, which encoding/json writes as an
// escape or as it is, depending on its version.
func requireLikeEncodingJSON[T require.TestingT](t T, s string) {
	var buf bytes.Buffer
	enc := json.NewEncoder(&buf)
	enc.SetEscapeHTML(false)
	require.NoError(t, enc.Encode(s))
	want := strings.ReplaceAll(strings.TrimSuffix(buf.String(), "\n"), `\ufffd`, "\ufffd")
	got := string(jsonappend.String([]byte("x"), s))
	require.Equal(t, "x"+want, strings.ReplaceAll(got, `\ufffd`, "\ufffd"))

	var back string
	require.NoError(t, json.Unmarshal([]byte(got[1:]), &back))
	require.Equal(t, string([]rune(s)), back)
}

func TestAKeyHasACommaBeforeItUnlessItIsTheFirst(t *testing.T) {
	dst := jsonappend.Key([]byte("{"), "a")
	dst = jsonappend.String(dst, "ends with {")
	dst = append(jsonappend.Key(dst, `b"`), "{}}"...)
	require.Equal(t, `{"a":"ends with {","b\"":{}}`, string(dst))
}

func TestTimesAreExactSeconds(t *testing.T) {
	for want, d := range map[string]time.Duration{
		"0":                     0,
		"1":                     time.Second,
		"90":                    90 * time.Second,
		"0.25":                  250 * time.Millisecond,
		"-1.5":                  -1500 * time.Millisecond,
		"0.000000001":           1,
		"-0.00000001":           -10,
		"1.23456789":            1234567890,
		"100.1":                 100*time.Second + 100*time.Millisecond,
		"9223372036.854775807":  math.MaxInt64,
		"-9223372036.854775808": math.MinInt64,
	} {
		require.Equal(t, "x"+want, string(jsonappend.Seconds([]byte("x"), d)))
	}
	rapid.Check(t, func(t *rapid.T) {
		want := time.Duration(rapid.Int64().Draw(t, "nanoseconds"))
		text := string(jsonappend.Seconds(nil, want))
		require.True(t, json.Valid([]byte(text)), text)
		got, err := time.ParseDuration(text + "s")
		require.NoError(t, err)
		require.Equal(t, want, got)
	})
}

func TestRawIsCompacted(t *testing.T) {
	dst, err := jsonappend.Raw([]byte("x"), []byte(" {\r\n\t\"b\": 1.0, \"a\": [ 1e400, \"\\u003c<\" ] }\n"))
	require.NoError(t, err)
	require.Equal(t, `x{"b":1.0,"a":[1e400,"\u003c<"]}`, string(dst))
}

func TestRawThatIsNotUTF8IsRepaired(t *testing.T) {
	dst, err := jsonappend.Raw(nil, []byte("{\"a\xff\xfe\":\"ä\xc3\"}"))
	require.NoError(t, err)
	require.Equal(t, "{\"a\ufffd\":\"ä\ufffd\"}", string(dst))
}

func TestRawThatIsNotOneValueIsRefused(t *testing.T) {
	for _, raw := range []string{
		"", " ", "{", "1 2", "{}{}", "nul", "\xff", `"a` + "\n" + `"`, strings.Repeat("[", 20_000) + strings.Repeat("]", 20_000),
	} {
		dst, err := jsonappend.Raw([]byte("x"), []byte(raw))
		require.Error(t, err, raw)
		require.Equal(t, "x", string(dst), raw)
	}
}

func TestValuesAreWrittenAsEncodingJSONWritesThem(t *testing.T) {
	type point struct{ X, Y int }
	for _, v := range []any{
		nil, "a<b>", true, false, 0, -1, math.MinInt64, int64(math.MaxInt64), uint8(7), 1.5, 1e300, 1e20, 1e21, -1e21, 1e-6, 9.99e-7, 1e-7, 1e-10, -2.5e-9, math.Copysign(0, -1), math.MaxFloat64,
		math.SmallestNonzeroFloat64, float32(0.1), json.Number("1.0"),
		json.Number(""), json.Number("-1E+400"), json.RawMessage(" [1 ]"), json.RawMessage(nil), map[string]any(nil), []any(nil),
		map[string]any{},
		[]any{},
		map[string]any{"b": []any{1, nil, "x"}, "a": map[string]any{"c": json.Number("0.10")}},
		[]string{"a<"},
		map[string]int{"b": 1, "a": 2},
		point{1, 2},
		&point{1, 2}, (*point)(nil), time.Unix(0, 0).UTC(), []byte("hi"),
		map[int]string{1: "a\n"},
	} {
		var want bytes.Buffer
		enc := json.NewEncoder(&want)
		enc.SetEscapeHTML(false)
		require.NoError(t, enc.Encode(v))
		got, err := jsonappend.Value([]byte("x"), v)
		require.NoError(t, err)
		require.Equal(t, "x"+strings.TrimSuffix(want.String(), "\n"), string(got))
	}
}

func TestWhatCannotBeEncodedLeavesTheBufferAsItWas(t *testing.T) {
	for name, v := range map[string]any{
		"channel": make(chan int), "function": func() {}, "NaN": math.NaN(), "infinity": math.Inf(1),
		"broken raw JSON": json.RawMessage("{"), "empty raw JSON": json.RawMessage{},
		"text as a number": json.Number("many"), "string as a number": json.Number(`"1"`), "two numbers": json.Number("1 2"),
		"space before a number": json.Number(" 1"),
		"hexadecimal":           json.Number("0x1"), "minus": json.Number("-"),
		"array":        json.Number("[1]"),
		"leading zero": json.Number("01"), "object in a number": json.Number("1{}"),
		"deep inside": map[string]any{"a": 1, "b": []any{"x", map[string]any{"c": func() {}}}},
	} {
		dst, err := jsonappend.Value([]byte("x"), v)
		require.Error(t, err, name)
		require.Equal(t, "x", string(dst), name)
		m := map[string]any{"a": 1, "bad": v}
		dst, err = jsonappend.Map([]byte("x"), m)
		require.ErrorContains(t, err, `"bad": `, name)
		require.Equal(t, "x", string(dst), name)
		dst, err = jsonappend.Members([]byte("{"), m)
		require.ErrorContains(t, err, `"bad": `, name)
		require.Equal(t, "{", string(dst), name)
	}
	_, err := jsonappend.Value(nil, json.Number("many"))
	require.EqualError(t, err, `"many" is not a number`)
}

func TestValuesThatHoldThemselvesAreAnError(t *testing.T) {
	loop := map[string]any{"a": 1}
	list := []any{1, loop}
	loop["list"] = list
	for _, v := range []any{loop, list} {
		dst, err := jsonappend.Value([]byte("x"), v)
		require.EqualError(t, err, "nested deeper than 10000 levels, or holding itself")
		require.Equal(t, "x", string(dst))
	}
}

func TestMembersGoOnAnOpenObject(t *testing.T) {
	dst, err := jsonappend.Members([]byte(`{"z":0`), map[string]json.RawMessage{"b": []byte("1.0"), "a": nil})
	require.NoError(t, err)
	require.Equal(t, `{"z":0,"a":null,"b":1.0`, string(dst))
	dst, err = jsonappend.Members(dst, map[string]json.RawMessage{})
	require.NoError(t, err)
	require.Equal(t, `{"z":0,"a":null,"b":1.0`, string(dst))
	dst, err = jsonappend.Map(nil, map[string]int(nil))
	require.NoError(t, err)
	require.Equal(t, "null", string(dst))
}

func TestAnyValueIsOneLineThatDecodesToItself(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		want := values(3).Draw(t, "value")
		line, err := jsonappend.Value(nil, want)
		require.NoError(t, err)
		require.NotContains(t, string(line), "\n")
		dec := json.NewDecoder(bytes.NewReader(line))
		dec.UseNumber()
		var got any
		require.NoError(t, dec.Decode(&got))
		require.Equal(t, want, got)
	})
}

func values(depth int) *rapid.Generator[any] {
	leaves := []*rapid.Generator[any]{
		rapid.Just[any](nil), rapid.Bool().AsAny(), rapid.String().AsAny(),
		rapid.Map(rapid.Float64(), func(f float64) any { return json.Number(strconv.FormatFloat(f, 'g', -1, 64)) }),
	}
	if depth == 0 {
		return rapid.OneOf(leaves...)
	}
	inner := values(depth - 1)
	return rapid.OneOf(append(leaves,
		rapid.SliceOfN(inner, 0, 4).AsAny(), rapid.MapOfN(rapid.String(), inner, 0, 4).AsAny())...)
}

func TestThePackageImportsTheStandardLibraryAlone(t *testing.T) {
	const imported = "{{if not .Standard}}{{.ImportPath}}{{end}}"
	out, err := exec.CommandContext(t.Context(), "go", "list", "-deps", "-f", imported, ".").Output()
	require.NoError(t, err)
	require.Equal(t, []string{
		"github.com/gluepipe/gluepipe/stages/internal/jsonscan", "github.com/gluepipe/gluepipe/stages/internal/jsonappend",
	}, strings.Fields(string(out)))
}
