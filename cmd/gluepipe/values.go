package main

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
)

// The values below are flags that say what they want. The same Set reads an environment variable or gluepipe.yaml, so a
// setting means the same wherever it stands.

type countValue struct {
	to  *int
	min int
}

func (v countValue) Type() string   { return "N" }
func (v countValue) String() string { return textOf(v.to, strconv.Itoa) }

func (v countValue) Set(text string) error {
	n, err := strconv.Atoi(text)
	switch {
	case errors.Is(err, strconv.ErrRange):
		return fmt.Errorf("want a smaller number than %q", text)
	case err != nil:
		return fmt.Errorf("want a whole number, got %q", text)
	case n < v.min:
		return fmt.Errorf("want %d or more, got %d", v.min, n)
	}
	*v.to = n
	return nil
}

type shareValue struct{ to *float64 }

func (v shareValue) Type() string { return "SHARE" }
func (v shareValue) String() string {
	return textOf(v.to, func(f float64) string { return strconv.FormatFloat(f, 'g', -1, 64) })
}

func (v shareValue) Set(text string) error {
	f, err := strconv.ParseFloat(text, 64)
	if err != nil || !(f >= 0 && f <= 1) {
		return fmt.Errorf("want a share from 0 to 1, got %q", text)
	}
	*v.to = f
	return nil
}

// durationValue takes a Go duration or plain seconds.
type durationValue struct{ to *time.Duration }

func (v durationValue) Type() string { return "DURATION" }

// String leaves out 0: help tells in words what that means.
func (v durationValue) String() string {
	return textOf(v.to, func(d time.Duration) string {
		if d == 0 {
			return ""
		}
		return shortDuration(d)
	})
}

func (v durationValue) Set(text string) error {
	d, err := time.ParseDuration(text)
	if err != nil {
		d, err = time.ParseDuration(text + "s")
	}
	if err != nil || d < 0 {
		return fmt.Errorf(`want a duration such as 90s or 2m, or seconds, got %q`, text)
	}
	*v.to = d
	return nil
}

// shortDuration is [time.Duration.String] without the zero units at its end: 10m, not 10m0s.
func shortDuration(d time.Duration) string {
	text := d.String()
	if strings.HasSuffix(text, "m0s") {
		text = strings.TrimSuffix(text, "0s")
	}
	if strings.HasSuffix(text, "h0m") {
		text = strings.TrimSuffix(text, "0m")
	}
	return text
}

type boolValue struct{ to *bool }

func (v boolValue) Type() string     { return "bool" }
func (v boolValue) IsBoolFlag() bool { return true }
func (v boolValue) String() string   { return textOf(v.to, strconv.FormatBool) }

func (v boolValue) Set(text string) error {
	b, err := strconv.ParseBool(text)
	if err != nil {
		return fmt.Errorf("want true or false, got %q", text)
	}
	*v.to = b
	return nil
}

type textValue struct {
	to   *string
	kind string
}

func (v textValue) Type() string          { return v.kind }
func (v textValue) String() string        { return textOf(v.to, func(s string) string { return s }) }
func (v textValue) Set(text string) error { *v.to = text; return nil }

type choiceValue struct {
	to      *string
	choices []string
}

func (v choiceValue) Type() string   { return strings.Join(v.choices, "|") }
func (v choiceValue) String() string { return textOf(v.to, func(s string) string { return s }) }

func (v choiceValue) Set(text string) error {
	if !slices.Contains(v.choices, text) {
		last := len(v.choices) - 1
		return fmt.Errorf("want %s or %s, got %q", strings.Join(v.choices[:last], ", "), v.choices[last], text)
	}
	*v.to = text
	return nil
}

// textOf returns the text of what p points to. pflag asks the zero value of a flag's type for its text, too.
func textOf[T any](p *T, format func(T) string) string {
	if p == nil {
		return ""
	}
	return format(*p)
}
