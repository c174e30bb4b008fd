package batch

import (
	"encoding/json"
	"fmt"

	"github.com/gluepipe/gluepipe/stages/internal/jsonappend"
	"github.com/gluepipe/gluepipe/stages/internal/jsonscan"
)

// readList decodes a member that is a list, element by element, so that an error says which one is wrong. An absent list
// is nil, an empty one is not.
func readList[T any](o *object, name, noun string, read func(*T, []byte) error) []T {
	raw, ok := o.take(name)
	if !ok {
		return nil
	}
	var room [16][]byte
	elements, err := readElements(raw, room[:0])
	if err != nil {
		o.fail(name, "a list of "+noun+"s", raw)
		return nil
	}
	list := make([]T, len(elements))
	for i, raw := range elements {
		if err := read(&list[i], raw); err != nil {
			if o.failure() == nil {
				*o.err = fmt.Errorf("field %q: %s %d: %w", name, noun, i+1, err)
			}
			return nil
		}
	}
	return list
}

// readElements finds the elements of a list, and appends them to room.
func readElements(raw json.RawMessage, room [][]byte) ([][]byte, error) {
	s := jsonscan.New(raw)
	for more := s.List(); more; more = s.Element() {
		room = append(room, s.Value())
	}
	if s.End() {
		return room, nil
	}
	var elements []json.RawMessage
	err := json.Unmarshal(raw, &elements)
	room = room[:0]
	for _, element := range elements {
		room = append(room, element)
	}
	return room, err
}

// appendList appends a member that is a list.
func appendList[T any](
	dst []byte, name, noun string, list []T, appendElement func(*T, []byte) ([]byte, error),
) ([]byte, error) {
	dst = append(jsonappend.Key(dst, name), '[')
	var err error
	for i := range list {
		if i > 0 {
			dst = append(dst, ',')
		}
		if dst, err = appendElement(&list[i], dst); err != nil {
			return dst, fmt.Errorf("field %q: %s %d: %w", name, noun, i+1, err)
		}
	}
	return append(dst, ']'), nil
}
