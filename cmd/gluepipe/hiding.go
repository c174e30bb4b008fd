package main

import (
	"io"
	"strings"
)

// hiding writes texts for people without the secrets in them. Each Write is a whole text.
type hiding struct {
	w    io.Writer
	hide *strings.Replacer
}

func (h *hiding) Write(p []byte) (int, error) {
	if _, err := h.hide.WriteString(h.w, string(p)); err != nil {
		return 0, err
	}
	return len(p), nil
}

// hiddenError is an error without the secrets in its text.
type hiddenError struct {
	err  error
	hide *strings.Replacer
}

func (e *hiddenError) Error() string { return e.hide.Replace(e.err.Error()) }
func (e *hiddenError) Unwrap() error { return e.err }
