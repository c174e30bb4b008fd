package batch

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"unicode/utf8"

	"github.com/gluepipe/gluepipe/stages/internal/jsonscan"
)

// object reads the members of a JSON object one by one and keeps the first error. Its errors name the field, what was
// wanted there and what stood there instead. It keeps nothing of the JSON's memory.
type object struct {
	members []member
	err     *error
}

type member struct {
	name []byte // nil once the member is taken
	raw  json.RawMessage
}

// room is what reading an object needs, on the stack of who reads it: an error within object itself would have the compiler
// put all of it on the heap.
type room struct {
	members [16]member // as many as most objects have
	err     error
}

// readObject finds the members of an object in one pass, where each name is there once and nothing is unusual. The members
// stand in room where they fit.
func readObject(data []byte, room *room) (object, error) {
	room.err = nil
	o := object{members: room.members[:0], err: &room.err}
	s := jsonscan.New(data)
	for name, ok := s.Object(); ok; name, ok = s.Member() {
		raw := s.Value()
		if o.find(string(name)) >= 0 || len(o.members) == 2*len(room.members) || !utf8.Valid(name) || !utf8.Valid(raw) {
			return readAnyObject(data, &room.err)
		}
		o.members = append(o.members, member{name, raw})
	}
	if !s.End() {
		return readAnyObject(data, &room.err)
	}
	return o, nil
}

// readAnyObject reads the object as encoding/json does, or says what is wrong.
func readAnyObject(data []byte, failure *error) (object, error) {
	o := object{err: failure}
	var members map[string]json.RawMessage
	if err := json.Unmarshal(data, &members); err != nil {
		if _, ok := errors.AsType[*json.SyntaxError](err); ok {
			return o, err
		}
		return o, fmt.Errorf("want a JSON object, got %s", excerpt(data))
	}
	if members == nil {
		return o, errors.New("want a JSON object, got null")
	}
	o.members = make([]member, 0, len(members))
	for name, raw := range members {
		o.members = append(o.members, member{[]byte(name), raw})
	}
	return o, nil
}

// failure returns the first error.
func (o *object) failure() error { return *o.err }

// find returns the place of a member, or -1.
func (o *object) find(name string) int {
	for i := range o.members {
		if n := o.members[i].name; n != nil && string(n) == name {
			return i
		}
	}
	return -1
}

// takeAny removes a member, null or not.
func (o *object) takeAny(name string) (json.RawMessage, bool) {
	i := o.find(name)
	if i < 0 {
		return nil, false
	}
	o.members[i].name = nil
	return o.members[i].raw, true
}

// take removes a member. A null counts as absent.
func (o *object) take(name string) (json.RawMessage, bool) {
	raw, ok := o.takeAny(name)
	return raw, ok && string(raw) != "null"
}

func (o *object) fail(name, want string, raw []byte) {
	if *o.err == nil {
		*o.err = fmt.Errorf("field %q: want %s, got %s", name, want, excerpt(raw))
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

// name takes a text that is one of few as a rule, and makes no copy of those.
func (o *object) name(name string, s *string) {
	i := o.find(name)
	if i >= 0 {
		switch raw := o.members[i].raw; string(raw) {
		case `"user"`:
			*s = "user"
		case `"assistant"`:
			*s = "assistant"
		case `"system"`:
			*s = "system"
		case `"tool"`:
			*s = "tool"
		case `"function"`:
			*s = "function"
		default:
			o.text(name, s)
			return
		}
		o.members[i].name = nil
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

// optionalTruth takes a member that is true or false; nil where it is absent.
func (o *object) optionalTruth(name string, to **bool) {
	if raw, ok := o.take(name); ok {
		b := string(raw) == "true"
		if !b && string(raw) != "false" {
			o.fail(name, "true or false", raw)
			return
		}
		*to = &b
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
		*to = bytes.Clone(raw)
	}
}

// rawOrNull takes a member as it stands, null included.
func (o *object) rawOrNull(name string, to *json.RawMessage) {
	if raw, ok := o.takeAny(name); ok {
		*to = bytes.Clone(raw)
	}
}

// rest returns the members that nothing took.
func (o *object) rest() (rest map[string]json.RawMessage) {
	for _, m := range o.members {
		if m.name == nil {
			continue
		}
		if rest == nil {
			rest = make(map[string]json.RawMessage)
		}
		rest[string(m.name)] = bytes.Clone(m.raw)
	}
	return rest
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
