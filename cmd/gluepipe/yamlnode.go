package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/spf13/pflag"
	"go.yaml.in/yaml/v3"
)

// nodeReader reads a part of a YAML file. Its errors need not say where: readMembers does.
type nodeReader func(*yaml.Node) error

// readMembers reads a mapping, each value with the reader of its key.
func readMembers(node *yaml.Node, readers map[string]nodeReader) error {
	return eachMember(node, func(key string, value *yaml.Node) error {
		read := readers[key]
		if read == nil {
			return fmt.Errorf("unknown key; the keys are: %s", strings.Join(slices.Sorted(maps.Keys(readers)), ", "))
		}
		return read(value)
	})
}

// eachMember hands the members of a mapping to read, in their order. Errors say the line and the key.
func eachMember(node *yaml.Node, read func(key string, value *yaml.Node) error) error {
	node = target(node)
	if node.Kind != yaml.MappingNode {
		return errors.New("want a mapping of keys to values")
	}
	for i := 0; i+1 < len(node.Content); i += 2 {
		key, value := node.Content[i], target(node.Content[i+1])
		if isNull(value) {
			continue
		}
		if err := read(key.Value, value); err != nil {
			return atKey(key, err)
		}
	}
	return nil
}

// keyError is what is wrong with the value of a key.
type keyError struct {
	line int
	keys string
	err  error
}

func (e *keyError) Error() string { return fmt.Sprintf("line %d: %s: %v", e.line, e.keys, e.err) }
func (e *keyError) Unwrap() error { return e.err }

// atKey says which key an error belongs to. The innermost line is the one to look at.
func atKey(key *yaml.Node, err error) error {
	if inner, ok := errors.AsType[*keyError](err); ok {
		return &keyError{inner.line, key.Value + ": " + inner.keys, inner.err}
	}
	return &keyError{key.Line, key.Value, err}
}

func target(node *yaml.Node) *yaml.Node {
	if node.Kind == yaml.AliasNode {
		return node.Alias
	}
	return node
}

func isNull(node *yaml.Node) bool { return node.Kind == 0 || node.Tag == "!!null" }

// set reads a value as the flag of the same meaning does.
func set(flag pflag.Value) nodeReader {
	return func(node *yaml.Node) error {
		if node.Kind != yaml.ScalarNode {
			return errors.New("want one value")
		}
		return flag.Set(node.Value)
	}
}

// texts reads a list of texts.
func texts(to *[]string) nodeReader {
	return func(node *yaml.Node) error {
		if node.Kind != yaml.SequenceNode {
			return errors.New("want a list")
		}
		for _, element := range node.Content {
			if element = target(element); element.Kind != yaml.ScalarNode {
				return errors.New("want a list of texts")
			}
			*to = append(*to, element.Value)
		}
		return nil
	}
}

// jsonOf reads a value as the JSON that it stands for, with the members of objects in their order: models follow it.
func jsonOf(to *json.RawMessage) nodeReader {
	return func(node *yaml.Node) (err error) {
		*to, err = appendNode(nil, node, 0)
		return err
	}
}

// maxNesting is deeper than schemas go. An alias may hold itself.
const maxNesting = 100

func appendNode(dst []byte, node *yaml.Node, depth int) (_ []byte, err error) {
	node = target(node)
	if depth > maxNesting || len(dst) > 1<<20 {
		return nil, errors.New("too large")
	}
	switch node.Kind {
	case yaml.SequenceNode:
		dst = append(dst, '[')
		for i, element := range node.Content {
			if i > 0 {
				dst = append(dst, ',')
			}
			if dst, err = appendNode(dst, element, depth+1); err != nil {
				return nil, err
			}
		}
		return append(dst, ']'), nil
	case yaml.MappingNode:
		dst = append(dst, '{')
		for i := 0; i+1 < len(node.Content); i += 2 {
			if i > 0 {
				dst = append(dst, ',')
			}
			dst = append(append(dst, quoted(node.Content[i].Value)...), ':')
			if dst, err = appendNode(dst, node.Content[i+1], depth+1); err != nil {
				return nil, err
			}
		}
		return append(dst, '}'), nil
	}
	var value any
	if node.Tag == "!!timestamp" || node.Decode(&value) != nil {
		value = node.Value
	}
	data, err := json.Marshal(value)
	if err != nil { // .inf
		return nil, fmt.Errorf("JSON has no %s", node.Value)
	}
	return append(dst, data...), nil
}

func quoted(text string) []byte {
	var buffer bytes.Buffer
	encoder := json.NewEncoder(&buffer)
	encoder.SetEscapeHTML(false)
	_ = encoder.Encode(text) // a text can always be encoded
	return bytes.TrimSpace(buffer.Bytes())
}
