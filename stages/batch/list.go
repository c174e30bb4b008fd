package batch

import (
	"encoding/json"
	"fmt"

	"github.com/gluepipe/gluepipe/stages/internal/jsonappend"
)

// readList decodes a member that is a list, element by element, so that an error says which one is wrong. An absent list
// is nil, an empty one is not.
func readList[T any](o *object, name, noun string, read func(*T, []byte) error) []T {
	var elements []json.RawMessage
	o.value(name, &elements, "a list of "+noun+"s")
	if elements == nil {
		return nil
	}
	list := make([]T, len(elements))
	for i, raw := range elements {
		if err := read(&list[i], raw); err != nil {
			if o.err == nil {
				o.err = fmt.Errorf("field %q: %s %d: %w", name, noun, i+1, err)
			}
			return nil
		}
	}
	return list
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
