package httptool

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/url"
	"slices"
	"strings"
)

// text is an argument as it stands in a URL: a string without its quotes, anything else as JSON. ok is false for one that
// is left out.
func text(raw json.RawMessage) (s string, ok bool) {
	if len(raw) == 0 || string(raw) == "null" {
		return "", false
	}
	if json.Unmarshal(raw, &s) == nil {
		return s, true
	}
	var compact bytes.Buffer
	if json.Compact(&compact, raw) != nil {
		return string(raw), true
	}
	return compact.String(), true
}

// texts is an argument as it stands in a query: a list has a parameter for each of its values.
func texts(raw json.RawMessage) []string {
	var list []json.RawMessage
	if json.Unmarshal(raw, &list) != nil {
		list = []json.RawMessage{raw}
	}
	var all []string
	for _, element := range list {
		if s, ok := text(element); ok {
			all = append(all, s)
		}
	}
	return all
}

// addToQuery adds the arguments that a URL has no fields for. The order is that of their names.
func addToQuery(target *url.URL, arguments map[string]json.RawMessage, properties []string) error {
	query := []string{}
	if target.RawQuery != "" {
		query = append(query, target.RawQuery)
	}
	for _, name := range slices.Sorted(maps.Keys(arguments)) {
		if !slices.Contains(properties, name) {
			return fmt.Errorf("arguments: at %q: unknown property", "/"+name)
		}
		for _, value := range texts(arguments[name]) {
			query = append(query, url.QueryEscape(name)+"="+url.QueryEscape(value))
		}
	}
	target.RawQuery = strings.Join(query, "&")
	return nil
}

// checkFields checks that a schema and a template fit, and returns the names of the schema's properties.
func checkFields(parameters json.RawMessage, t *template, queries bool) ([]string, error) {
	var schema struct {
		Properties map[string]json.RawMessage `json:"properties"`
		Required   []string                   `json:"required"`
	}
	if err := json.Unmarshal(parameters, &schema); err != nil {
		return nil, errors.New("the schema of the arguments must be a JSON object")
	}
	properties := slices.Sorted(maps.Keys(schema.Properties))
	fields := t.fields()
	for _, name := range slices.Sorted(maps.Keys(fields)) {
		switch {
		case !slices.Contains(properties, name):
			return nil, fmt.Errorf("the URL has the field %q, which is no property of the parameters; those are: %s",
				name, strings.Join(properties, ", "))
		case fields[name] && !slices.Contains(schema.Required, name):
			return nil, fmt.Errorf("the path of the URL has the field %q, so the parameters must require it", name)
		}
	}
	for _, p := range t.query {
		name, err := url.QueryUnescape(p.name)
		if err != nil {
			return nil, errors.New("the query of the URL is not valid")
		}
		if _, used := fields[name]; queries && !used && slices.Contains(properties, name) {
			return nil, fmt.Errorf("the query of the URL has %[1]q, and so have the parameters: write %[1]s={{.%[1]s}} in the URL, "+
				"or rename one", name)
		}
	}
	return properties, nil
}
