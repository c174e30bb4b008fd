package source

import (
	"fmt"
	"io"
)

// The units of [TableRow].
const (
	unitLine = "line"
	unitRow  = "row"
)

// opened is the file that a reader opened itself, if it did.
type opened struct {
	path  string // for errors; "" where the reader was given an [io.Reader]
	close func() error
}

// given is what a reader has opened that was given an [io.Reader].
func given() opened { return opened{close: func() error { return nil }} }

// Close closes the file.
func (o *opened) Close() error { return o.close() }

// readError says where reading ended: reading reviews.csv: line 7: input/output error. An [io.EOF] stays what it is.
func (o *opened) readError(unit string, number int, err error) error {
	if err == io.EOF {
		return err
	}
	return o.nameFile(fmt.Errorf("%s %d: %w", unit, number, withoutPath(err)))
}

// nameFile says in which file it is that something is wrong.
func (o *opened) nameFile(err error) error {
	if o.path == "" {
		return fmt.Errorf("reading %w", err)
	}
	return fmt.Errorf("reading %s: %w", o.path, err)
}
