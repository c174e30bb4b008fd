package source

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"text/template"
)

// functions returns what a prompt can call besides text/template's own. Some of those are replaced: by functions that show
// and compare values as prompts do, and whose texts can't grow without end.
func (p *prompt) functions() template.FuncMap {
	return template.FuncMap{
		"json":     p.json,
		"trim":     p.changed(strings.TrimSpace),
		"lower":    p.changed(strings.ToLower),
		"upper":    p.changed(strings.ToUpper),
		"truncate": p.truncate,
		"default":  p.orElse,
		"print":    p.print,
		"println":  p.println,
		"printf":   p.printf,
		"eq":       p.equalAny,
		"ne":       func(a, b any) (bool, error) { is, err := p.equal(a, b); return !is, err },
		"lt":       p.ordered(func(order int) bool { return order < 0 }),
		"le":       p.ordered(func(order int) bool { return order <= 0 }),
		"gt":       p.ordered(func(order int) bool { return order > 0 }),
		"ge":       p.ordered(func(order int) bool { return order >= 0 }),
	}
}

func (p *prompt) changed(change func(string) string) func(any) (string, error) {
	return func(value any) (string, error) {
		text, err := p.text(value)
		if err != nil {
			return "", err
		}
		return bounded(change(text))
	}
}

func (p *prompt) truncate(length int, value any) (string, error) {
	text, err := p.text(value)
	for i := range text {
		if length <= 0 {
			return text[:i], err
		}
		length--
	}
	return text, err
}

func (p *prompt) orElse(other, value any) any {
	if value == nil || value == "" {
		return other
	}
	return value
}

func bounded(text string) (string, error) {
	if len(text) > maxPromptBytes {
		return "", errLongPrompt
	}
	return text, nil
}

// equalAny tells whether a value is equal to any of the others.
func (p *prompt) equalAny(value, other any, others ...any) (bool, error) {
	is, err := p.equal(value, other)
	for i := 0; i < len(others) && !is && err == nil; i++ {
		is, err = p.equal(value, others[i])
	}
	return is, err
}

func (p *prompt) equal(a, b any) (bool, error) {
	order, err := p.compare(a, b)
	if errors.Is(err, errNoNumber) {
		return false, nil // a text that is no number equals none
	}
	return order == 0, err
}

func (p *prompt) ordered(is func(order int) bool) func(a, b any) (bool, error) {
	return func(a, b any) (bool, error) {
		order, err := p.compare(a, b)
		return is(order), err
	}
}

var errNoNumber = errors.New("want a number")

// compare compares two values as numbers where one is a number, else by what they print as.
func (p *prompt) compare(a, b any) (int, error) {
	x, err := p.text(a)
	if err != nil {
		return 0, err
	}
	y, err := p.text(b)
	if err != nil || !isNumber(a) && !isNumber(b) {
		return cmp.Compare(x, y), err
	}
	m, wholeM := parseWhole(x)
	n, wholeN := parseWhole(y)
	if wholeM && wholeN {
		return cmp.Compare(m, n), nil
	}
	f, err := parseNumber(x)
	if err != nil {
		return 0, err
	}
	g, err := parseNumber(y)
	return cmp.Compare(f, g), err
}

func isNumber(value any) bool {
	switch value.(type) {
	case int, int64, float64, json.Number:
		return true
	}
	return false
}

func parseWhole(text string) (int64, bool) {
	n, err := strconv.ParseInt(strings.TrimSpace(text), 10, 64)
	return n, err == nil
}

func parseNumber(text string) (float64, error) {
	f, err := strconv.ParseFloat(strings.TrimSpace(text), 64)
	if err != nil && !errors.Is(err, strconv.ErrRange) {
		return 0, fmt.Errorf("%w, got %q", errNoNumber, shortened(text))
	}
	return f, nil
}
