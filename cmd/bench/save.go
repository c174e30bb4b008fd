package main

import (
	"encoding/json"
	"errors"
	"os"
)

// save writes the figures and their chart where they are wanted.
func (b *bench) save(figures any, chart func() []byte) error {
	var errs []error
	if b.json != "" {
		text, err := json.MarshalIndent(figures, "", "  ")
		errs = append(errs, err, os.WriteFile(b.json, append(text, '\n'), 0o600))
	}
	if b.svg != "" {
		errs = append(errs, os.WriteFile(b.svg, chart(), 0o644)) //nolint:gosec // for everyone to see
	}
	return errors.Join(errs...)
}
