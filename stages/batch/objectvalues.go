package batch

import (
	"bytes"
	"encoding/json"
	"math"
	"strconv"
	"time"
	"unicode/utf8"

	"github.com/gluepipe/gluepipe/stages/internal/jsonscan"
)

// numbers decodes an object whose numbers keep their digits.
func (o *object) numbers(name string, m *map[string]any) {
	raw, ok := o.take(name)
	if !ok {
		return
	}
	if s := jsonscan.New(raw); utf8.Valid(raw) {
		if members, ok := readMap(&s); ok && s.End() {
			*m = members
			return
		}
	}
	dec := json.NewDecoder(bytes.NewReader(raw))
	dec.UseNumber()
	if err := dec.Decode(m); err != nil {
		o.fail(name, "an object", raw)
	}
}

// readMap decodes the object that comes next. ok is false where encoding/json had better do it.
func readMap(s *jsonscan.Scanner) (m map[string]any, ok bool) {
	m = make(map[string]any)
	for name, more := s.Object(); more; name, more = s.Member() {
		value, ok := readAny(s)
		before := len(m)
		m[string(name)] = value
		if !ok || len(m) == before { // of two members with the same name, encoding/json knows which counts
			return nil, false
		}
	}
	return m, true
}

// readAny decodes the value that comes next.
func readAny(s *jsonscan.Scanner) (value any, ok bool) {
	switch s.Peek() {
	case '{':
		return readMap(s)
	case '[':
		list := []any{}
		for more := s.List(); more; more = s.Element() {
			if value, ok = readAny(s); !ok {
				return nil, false
			}
			list = append(list, value)
		}
		return list, true
	}
	switch raw := s.Value(); {
	case raw == nil:
		return nil, false
	case raw[0] == '"':
		return jsonscan.Text(raw)
	case raw[0] == 't', raw[0] == 'f':
		return raw[0] == 't', true
	case raw[0] == 'n':
		return nil, true
	default:
		return json.Number(raw), true
	}
}

// rawMembers decodes an object whose members stay as they were written.
func (o *object) rawMembers(name string, m *map[string]any) {
	raw, ok := o.take(name)
	if !ok {
		return
	}
	var room room
	inner, err := readObject(bytes.Clone(raw), &room) // one copy, which all members share
	if err != nil {
		o.fail(name, "an object", raw)
		return
	}
	*m = make(map[string]any, len(inner.members))
	for _, member := range inner.members {
		(*m)[string(member.name)] = member.raw
	}
}

func (o *object) seconds(name string, d *time.Duration) {
	raw, ok := o.take(name)
	if !ok {
		return
	}
	exact, err := time.ParseDuration(string(raw) + "s")
	if err == nil {
		*d = exact
		return
	}
	// ParseDuration knows no exponents.
	s, err := strconv.ParseFloat(string(raw), 64)
	s = math.Round(s * float64(time.Second))
	if err != nil || math.Abs(s) >= math.MaxInt64 { // 292 years
		o.fail(name, "a number of seconds", raw)
		return
	}
	*d = time.Duration(s)
}
