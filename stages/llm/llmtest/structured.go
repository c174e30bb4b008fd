package llmtest

import (
	"bytes"
	"encoding/json"
	"hash/fnv"
	"maps"
	"math"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/gluepipe/gluepipe/stages/internal/jsonappend"
)

// structured puts a text into the form that a response_format asks for.
func structured(responseFormat json.RawMessage, text string) string {
	var format struct {
		Type       string `json:"type"`
		JSONSchema struct {
			Schema answerSchema `json:"schema"`
		} `json:"json_schema"`
	}
	if len(responseFormat) == 0 || json.Unmarshal(responseFormat, &format) != nil {
		return text
	}
	switch format.Type {
	case "json_object":
		return string(append(jsonappend.String([]byte(`{"answer":`), text), '}'))
	case "json_schema":
		root := &format.JSONSchema.Schema
		w := answerWriter{text: text, root: root}
		return string(w.append(nil, root, "", 0))
	}
	return text
}

// What bounds the answers to schemas that hold themselves.
const (
	deepest        = 16
	maxAnswerBytes = 1 << 20
)

// answerWriter makes the JSON of an answer from a schema and a text.
type answerWriter struct {
	text string
	root *answerSchema
}

func (w *answerWriter) append(dst []byte, s *answerSchema, path string, depth int) []byte {
	if s == nil {
		return jsonappend.String(dst, w.text)
	}
	if depth > deepest || len(dst) > maxAnswerBytes {
		return append(dst, "null"...)
	}
	switch options := slices.Concat(s.AnyOf, s.OneOf); {
	case s.Ref != "":
		return w.append(dst, w.resolve(s.Ref), path, depth+1)
	case json.Valid(s.Const):
		return append(dst, bytes.TrimSpace(s.Const)...)
	case len(s.Enum) > 0:
		return append(dst, s.Enum[w.hash(path)%uint64(len(s.Enum))]...)
	case len(options) > 0:
		return w.append(dst, w.option(options, depth), path, depth+1)
	}
	switch s.kind(depth) {
	case "object":
		return w.appendObject(dst, s, path, depth)
	case "array":
		return w.appendArray(dst, s, path, depth)
	case "integer", "number":
		return w.appendNumber(dst, s, path)
	case "boolean":
		return strconv.AppendBool(dst, w.hash(path)%2 == 0)
	case "null":
		return append(dst, "null"...)
	}
	return jsonappend.String(dst, w.string(s))
}

// option chooses the first that is not null; deep inside, null where it is one.
func (w *answerWriter) option(options []*answerSchema, depth int) *answerSchema {
	null := func(s *answerSchema) bool { return s != nil && s.Type == "null" }
	if i := slices.IndexFunc(options, null); i >= 0 && depth > deepest/2 {
		return options[i]
	}
	if i := slices.IndexFunc(options, func(s *answerSchema) bool { return !null(s) }); i >= 0 {
		return options[i]
	}
	return options[0]
}

// resolve finds what a reference inside the schema leads to.
func (w *answerWriter) resolve(ref string) *answerSchema {
	path, ok := strings.CutPrefix(ref, "#")
	if !ok {
		return nil
	}
	raw := w.root.own
	for name := range strings.SplitSeq(strings.TrimPrefix(path, "/"), "/") {
		if name == "" {
			break
		}
		var members map[string]json.RawMessage
		if json.Unmarshal(raw, &members) != nil || members[name] == nil {
			return nil
		}
		raw = members[name]
	}
	s := &answerSchema{}
	_ = s.UnmarshalJSON(raw)
	return s
}

// appendObject writes the required properties in their order, then the others by name; deep inside the required alone.
func (w *answerWriter) appendObject(dst []byte, s *answerSchema, path string, depth int) []byte {
	names := slices.Clone(s.Required)
	if depth <= deepest/2 {
		for _, name := range slices.Sorted(maps.Keys(s.Properties)) {
			if !slices.Contains(names, name) {
				names = append(names, name)
			}
		}
	}
	dst = append(dst, '{')
	for i, name := range names {
		if slices.Contains(names[:i], name) {
			continue
		}
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = append(jsonappend.String(dst, name), ':')
		dst = w.append(dst, s.Properties[name], path+"/"+name, depth+1)
	}
	return append(dst, '}')
}

func (w *answerWriter) appendArray(dst []byte, s *answerSchema, path string, depth int) []byte {
	const most = 100
	n := min(max(s.MinItems, 1), most)
	if depth > deepest/2 {
		n = min(max(s.MinItems, 0), 1)
	}
	if s.MaxItems != nil {
		n = min(n, max(*s.MaxItems, 0))
	}
	dst = append(dst, '[')
	for i := range n {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = w.append(dst, s.Items, path+"/"+strconv.Itoa(i), depth+1)
	}
	return append(dst, ']')
}

// appendNumber writes a whole number from the minimum on, at most 10 numbers beyond.
func (w *answerWriter) appendNumber(dst []byte, s *answerSchema, path string) []byte {
	const span, exact = 10, 1 << 53
	low, high := 0.0, math.Inf(1)
	switch {
	case s.Minimum != nil:
		low = math.Ceil(*s.Minimum)
	case s.Maximum != nil && *s.Maximum < span:
		low = math.Floor(*s.Maximum) - span
	}
	if s.Maximum != nil {
		high = *s.Maximum
	}
	if low > high { // no whole number is between them
		return strconv.AppendFloat(dst, *s.Maximum, 'g', -1, 64)
	}
	n := min(low+float64(w.hash(path)%(span+1)), math.Floor(high))
	if math.Abs(n) > exact {
		return strconv.AppendFloat(dst, low, 'g', -1, 64)
	}
	return strconv.AppendInt(dst, int64(n), 10)
}

func (w *answerWriter) string(s *answerSchema) string {
	switch s.Format {
	case "date-time":
		return "2026-01-02T15:04:05Z"
	case "date":
		return "2026-01-02"
	case "time":
		return "15:04:05Z"
	case "duration":
		return "PT1H"
	case "email":
		return "someone@example.com"
	case "hostname":
		return "example.com"
	case "ipv4":
		return "192.0.2.1"
	case "ipv6":
		return "2001:db8::1"
	case "uuid":
		return "123e4567-e89b-42d3-a456-426614174000"
	case "uri":
		return "https://example.com/"
	}
	text := w.text
	if missing := min(s.MinLength, 1000) - utf8.RuneCountInString(text); missing > 0 {
		text += strings.Repeat("x", missing)
	}
	if s.MaxLength != nil && *s.MaxLength >= 0 {
		if runes := []rune(text); len(runes) > *s.MaxLength {
			text = string(runes[:*s.MaxLength])
		}
	}
	return text
}

// hash decides by the text what stands at a path of the answer.
func (w *answerWriter) hash(path string) uint64 {
	h := fnv.New64a()
	_, _ = h.Write([]byte(w.text + "\x00" + path))
	return h.Sum64() >> 7
}
