package main

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"

	"github.com/gluepipe/gluepipe/stages/batch"
)

// modelValue takes the name of a model. Empty, as by a variable that was never set, it is not the default model's.
type modelValue struct{ textValue }

func (v modelValue) Set(text string) error {
	if text == "" {
		return errors.New("want provider:model, got nothing")
	}
	return v.textValue.Set(text)
}

// promptValue takes a text, or the content of the file after an @.
type promptValue struct{ to *string }

func (v promptValue) Type() string   { return "TEXT|@FILE" }
func (v promptValue) String() string { return textOf(v.to, func(s string) string { return s }) }

func (v promptValue) Set(text string) error {
	if path, isFile := strings.CutPrefix(text, "@"); isFile {
		content, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		text = strings.TrimRight(string(content), "\r\n")
	}
	*v.to = text
	return nil
}

// keysValue takes a file with an API key a line. Blank lines and lines that begin with # are left out.
type keysValue struct{ to *[]string }

func (v keysValue) Type() string   { return "FILE" }
func (v keysValue) String() string { return "" } // what it holds is secret

func (v keysValue) Set(path string) error {
	file, err := os.Open(path)
	if pathErr, ok := errors.AsType[*fs.PathError](err); ok {
		// Without its name: it is a key where somebody took the flag for one.
		return fmt.Errorf("want a file with an API key a line, got what can't be opened: %w", pathErr.Err)
	}
	if err != nil {
		return err
	}
	defer file.Close()
	var keys []string
	lines := bufio.NewScanner(file)
	for lines.Scan() {
		if key := strings.TrimSpace(lines.Text()); key != "" && !strings.HasPrefix(key, "#") {
			keys = append(keys, key)
		}
	}
	if err := lines.Err(); err != nil {
		return fmt.Errorf("reading %s: %w", path, err)
	}
	if len(keys) == 0 {
		return errors.New(path + " holds no key: want one a line")
	}
	*v.to = keys
	return nil
}

// paramsValue takes NAME=VALUE, where VALUE is JSON if it parses as JSON and a text otherwise, or a JSON object of params.
// Given again, it adds to them.
type paramsValue struct{ to *map[string]any }

func (v paramsValue) Type() string { return "NAME=VALUE" }
func (v paramsValue) String() string {
	return textOf(v.to, func(params map[string]any) string {
		if len(params) == 0 {
			return ""
		}
		text, _ := json.Marshal(params) // values that came from JSON encode again
		return string(text)
	})
}

func (v paramsValue) Set(text string) error {
	params := map[string]json.RawMessage{}
	if name, value, ok := strings.Cut(text, "="); ok && !strings.HasPrefix(text, "{") {
		if name == "" {
			return fmt.Errorf("want NAME=VALUE, got %q", text)
		}
		raw := json.RawMessage(value)
		if !json.Valid(raw) {
			raw = batch.Text(value)
		}
		params[name] = raw
	} else if json.Unmarshal([]byte(text), &params) != nil {
		return fmt.Errorf("want NAME=VALUE, got %q", text)
	}
	if *v.to == nil {
		*v.to = make(map[string]any, len(params))
	}
	for name, raw := range params {
		(*v.to)[name] = raw
	}
	return nil
}
