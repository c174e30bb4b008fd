package httptool

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"regexp"
	"strings"
)

var field = regexp.MustCompile(`\{\{\s*\.([a-zA-Z_][a-zA-Z0-9_-]*)\s*\}\}`)

// A template is a URL with fields in its path and its query. What is written in it stays as it is.
type template struct {
	scheme, host string
	user         *url.Userinfo
	segments     [][]part // of the path
	query        []parameter
}

// A part is a text or, if that is "", a field.
type part struct{ text, field string }

type parameter struct {
	name  string // escaped
	value []part
}

// parseTemplate reads a template. Its errors don't repeat it: it may hold secrets.
func parseTemplate(raw string) (*template, error) {
	filled := field.ReplaceAllLiteralString(raw, "x")
	if strings.Contains(filled, "{{") || strings.Contains(filled, "}}") {
		return nil, errors.New("the URL has {{ or }} that is no field: want {{.field}}, with the name of a property")
	}
	parsed, err := url.Parse(filled)
	switch {
	case err != nil || parsed.Host == "" || parsed.Scheme != "http" && parsed.Scheme != "https":
		return nil, errors.New(`the URL is not valid, want one such as "https://api.example.com/v1/items/{{.id}}"`)
	case strings.Contains(raw, "#"):
		return nil, errors.New("the URL has a #: what follows one is never sent")
	}
	scheme, rest, _ := strings.Cut(raw, "://")
	authority := rest
	if end := strings.IndexAny(rest, "/?"); end >= 0 {
		authority = rest[:end]
	}
	if field.MatchString(scheme) || field.MatchString(authority) {
		return nil, errors.New("the URL has a field in its scheme or its host: fields stand in the path and the query only")
	}
	t := &template{scheme: parsed.Scheme, host: parsed.Host, user: parsed.User}
	path, query, _ := strings.Cut(rest[len(authority):], "?")
	for segment := range strings.SplitSeq(path, "/") {
		t.segments = append(t.segments, parts(segment))
	}
	for pair := range strings.SplitSeq(query, "&") {
		name, value, _ := strings.Cut(pair, "=")
		if field.MatchString(name) {
			return nil, fmt.Errorf("the URL has a field in a name of its query, %q: fields stand in values only", name)
		}
		if pair != "" {
			t.query = append(t.query, parameter{name: name, value: parts(value)})
		}
	}
	return t, nil
}

func parts(s string) []part {
	var all []part
	end := 0
	for _, at := range field.FindAllStringSubmatchIndex(s, -1) {
		if at[0] > end {
			all = append(all, part{text: s[end:at[0]]})
		}
		all = append(all, part{field: s[at[2]:at[3]]})
		end = at[1]
	}
	if end < len(s) {
		all = append(all, part{text: s[end:]})
	}
	return all
}

// render fills in the arguments, and takes those that it uses out of them.
func (t *template) render(arguments map[string]json.RawMessage) (*url.URL, error) {
	var path strings.Builder
	for i, segment := range t.segments {
		if i > 0 {
			path.WriteByte('/')
		}
		filled, err := fillSegment(segment, arguments)
		if err != nil {
			return nil, err
		}
		path.WriteString(filled)
	}
	var query []string
	for _, p := range t.query {
		if value, ok := fill(p.value, arguments, url.QueryEscape); ok {
			query = append(query, p.name+"="+value)
		}
	}
	for name := range t.fields() {
		delete(arguments, name)
	}
	target, err := url.Parse(t.origin() + path.String())
	if err != nil {
		return nil, errors.New("the arguments don't make a valid URL")
	}
	target.RawQuery = strings.Join(query, "&")
	return target, nil
}

func (t *template) origin() string { return t.scheme + "://" + t.host }

// fields tells of each field in the template whether it can't be left out.
func (t *template) fields() map[string]bool {
	all := make(map[string]bool)
	for _, p := range t.query {
		for _, part := range p.value {
			if part.field != "" {
				all[part.field] = false
			}
		}
	}
	for _, segment := range t.segments {
		for _, part := range segment {
			if part.field != "" {
				all[part.field] = true
			}
		}
	}
	return all
}

// fill puts parts together. ok is false where an argument is left out.
func fill(parts []part, arguments map[string]json.RawMessage, escape func(string) string) (filled string, ok bool) {
	var b strings.Builder
	for _, p := range parts {
		if p.field == "" {
			b.WriteString(p.text)
			continue
		}
		value, ok := text(arguments[p.field])
		if !ok {
			return "", false
		}
		b.WriteString(escape(value))
	}
	return b.String(), true
}

// fillSegment keeps a value in its place. Many servers decode a path before they take "a/../b" for b, so an escaped slash
// is not enough; and an empty value would name what is above.
func fillSegment(parts []part, arguments map[string]json.RawMessage) (string, error) {
	for _, p := range parts {
		if p.field == "" {
			continue
		}
		switch value, ok := text(arguments[p.field]); {
		case !ok || value == "":
			return "", fmt.Errorf("arguments: at %q: want a value, the path of the URL needs one", "/"+p.field)
		case strings.ContainsRune(value, 0):
			return "", fmt.Errorf("arguments: at %q: want a value without a NUL", "/"+p.field)
		}
	}
	if filled, ok := fill(parts, nil, url.PathEscape); ok {
		return filled, nil // without fields
	}
	plain, _ := fill(parts, arguments, func(s string) string { return s })
	for _, name := range strings.FieldsFunc(plain, func(r rune) bool { return r == '/' || r == '\\' }) {
		if name == "." || name == ".." {
			return "", fmt.Errorf("arguments: want no %q in the path of the URL", name)
		}
	}
	filled, _ := fill(parts, arguments, url.PathEscape)
	return filled, nil
}
