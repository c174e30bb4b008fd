package command

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
)

// arguments are those of a program, without its name.
type arguments []argument

func parseArguments(texts []string, known fields) (arguments, error) {
	list := make(arguments, len(texts))
	for i, text := range texts {
		var err error
		if list[i], err = parseArgument(text, known); err != nil {
			return nil, fmt.Errorf("argument %d, %q: %w", i+1, text, err)
		}
		if strings.ContainsRune(text, 0) {
			return nil, fmt.Errorf("argument %d, %q: want no NUL byte", i+1, text)
		}
	}
	return list, nil
}

// templated tells whether an argument depends on the model's.
func (list arguments) templated() bool {
	return slices.ContainsFunc(list, func(a argument) bool { return a.templated() })
}

// render puts the model's arguments, a JSON object, into the program's. What was one argument stays one, whatever it says.
func (list arguments) render(object json.RawMessage) ([]string, error) {
	var values map[string]json.RawMessage
	if err := json.Unmarshal(object, &values); err != nil {
		return nil, err
	}
	var rendered []string
	onlyOperands := false // after "--" programs take nothing for an option
	for i := range list {
		text, given, err := list[i].render(values, onlyOperands)
		if err != nil {
			return nil, err
		}
		if given {
			rendered = append(rendered, text)
		}
		onlyOperands = onlyOperands || (text == "--" && !list[i].templated())
	}
	return rendered, nil
}

// render returns an argument, and whether there is one: it is left out where all of its fields are.
func (a *argument) render(values map[string]json.RawMessage, onlyOperands bool) (text string, given bool, err error) {
	var b strings.Builder
	var fields []string
	given = !a.optional
	for _, p := range a.pieces {
		b.WriteString(p.text)
		if p.field == "" {
			continue
		}
		fields = append(fields, p.field)
		if raw, ok := values[p.field]; ok {
			value, err := plain(raw)
			if err != nil {
				return "", false, fmt.Errorf("at %q: %w", "/"+p.field, err)
			}
			given = true
			b.WriteString(value)
		}
	}
	if !given {
		return "", false, nil
	}
	text = b.String()
	if strings.HasPrefix(text, "-") && !a.beginsWithDash() && !onlyOperands && !a.isNumber(values) {
		return "", false, fmt.Errorf(`at %q: want a value that doesn't begin with "-"`, "/"+fields[0])
	}
	return text, true, nil
}

// isNumber tells an argument that is a number and nothing else: -5 is no option.
func (a *argument) isNumber(values map[string]json.RawMessage) bool {
	if len(a.pieces) != 1 {
		return false
	}
	raw := values[a.pieces[0].field]
	return len(raw) > 0 && (raw[0] == '-' || (raw[0] >= '0' && raw[0] <= '9'))
}

// plain writes a value as an argument has it: a string without its quotes, anything else as the JSON it is.
func plain(raw json.RawMessage) (string, error) {
	if len(raw) == 0 || raw[0] != '"' {
		return string(raw), nil
	}
	var text string
	if err := json.Unmarshal(raw, &text); err != nil {
		return "", err
	}
	if strings.ContainsRune(text, 0) {
		return "", errors.New("want a value without NUL bytes")
	}
	return text, nil
}
