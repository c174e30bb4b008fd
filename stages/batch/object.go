package batch

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"strconv"
	"time"
	"unicode/utf8"
)

// object reads the members of a JSON object one by one and keeps the first error. Its errors name the field, what was
// wanted there and what stood there instead.
type object struct {
	members map[string]json.RawMessage
	err     error
}

func readObject(data []byte) (*object, error) {
	o := &object{}
	if err := json.Unmarshal(data, &o.members); err != nil {
		if _, ok := errors.AsType[*json.SyntaxError](err); ok {
			return nil, err
		}
		return nil, fmt.Errorf("want a JSON object, got %s", excerpt(data))
	}
	if o.members == nil {
		return nil, errors.New("want a JSON object, got null")
	}
	return o, nil
}

// take removes a member. A null counts as absent.
func (o *object) take(name string) (json.RawMessage, bool) {
	raw, ok := o.members[name]
	if ok {
		delete(o.members, name)
	}
	return raw, ok && string(raw) != "null"
}

func (o *object) fail(name, want string, raw []byte) {
	if o.err == nil {
		o.err = fmt.Errorf("field %q: want %s, got %s", name, want, excerpt(raw))
	}
}

// value decodes a member into v, if it is there.
func (o *object) value(name string, v any, want string) {
	raw, ok := o.take(name)
	if !ok {
		return
	}
	if json.Unmarshal(raw, v) != nil {
		o.fail(name, want, raw)
	}
}

func (o *object) text(name string, s *string) {
	raw, ok := o.take(name)
	switch {
	case !ok:
	case raw[0] != '"':
		o.fail(name, "a text", raw)
	default:
		*s = unquote(raw)
	}
}

func (o *object) truth(name string, b *bool) {
	if raw, ok := o.take(name); ok {
		if *b = string(raw) == "true"; !*b && string(raw) != "false" {
			o.fail(name, "true or false", raw)
		}
	}
}

func (o *object) whole(name string, n *int) {
	if raw, ok := o.take(name); ok {
		var err error
		if *n, err = strconv.Atoi(string(raw)); err != nil {
			o.fail(name, "a whole number", raw)
		}
	}
}

func (o *object) long(name string, n *int64) {
	if raw, ok := o.take(name); ok {
		var err error
		if *n, err = strconv.ParseInt(string(raw), 10, 64); err != nil {
			o.fail(name, "a whole number", raw)
		}
	}
}

func (o *object) row(name string, to **Row) {
	if raw, ok := o.take(name); ok {
		row := &Row{}
		if row.UnmarshalJSON(raw) != nil {
			o.fail(name, "an object", raw)
			return
		}
		*to = row
	}
}

// raw takes a member as it stands.
func (o *object) raw(name string, to *json.RawMessage) {
	if raw, ok := o.take(name); ok {
		*to = raw
	}
}

// rawOrNull takes a member as it stands, null included.
func (o *object) rawOrNull(name string, to *json.RawMessage) {
	if raw, ok := o.members[name]; ok {
		*to = raw
		delete(o.members, name)
	}
}

// numbers decodes an object whose numbers keep their digits.
func (o *object) numbers(name string, m *map[string]any) {
	raw, ok := o.take(name)
	if !ok {
		return
	}
	dec := json.NewDecoder(bytes.NewReader(raw))
	dec.UseNumber()
	if err := dec.Decode(m); err != nil {
		o.fail(name, "an object", raw)
	}
}

// rawMembers decodes an object whose members stay as they were written.
func (o *object) rawMembers(name string, m *map[string]any) {
	var members map[string]json.RawMessage
	o.value(name, &members, "an object")
	if members == nil {
		return
	}
	*m = make(map[string]any, len(members))
	for key, raw := range members {
		(*m)[key] = raw
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

// rest returns the members that nothing took.
func (o *object) rest() map[string]json.RawMessage {
	if len(o.members) == 0 {
		return nil
	}
	return o.members
}

// excerpt shortens JSON for an error message.
func excerpt(raw []byte) string {
	const limit = 60
	raw = bytes.TrimSpace(raw)
	if len(raw) <= limit {
		return string(raw)
	}
	raw = raw[:limit]
	for len(raw) > 0 && !utf8.Valid(raw) {
		raw = raw[:len(raw)-1]
	}
	return string(raw) + "..."
}
