package sink

import (
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/gluepipe/gluepipe/stages/batch"
)

// stream writes records to a writer that somebody else owns.
type stream struct {
	w       io.Writer
	encoder encoder
	begun   bool // the header is written
}

func newStream(w io.Writer, format format) *stream {
	return &stream{w: w, encoder: encoder{format: format}}
}

func (s *stream) Write(_ context.Context, results []*batch.Result) error {
	records, encodeErr := s.encoder.encode(results)
	if len(records.data) == 0 {
		return encodeErr
	}
	err := s.begin()
	if err == nil {
		err = s.write(records.data)
	}
	return errors.Join(encodeErr, err)
}

// Close leaves w open. A table without results has its header at least.
func (s *stream) Close(context.Context) error { return s.begin() }

func (s *stream) begin() error {
	header := s.encoder.format.header()
	if s.begun || header == nil {
		return nil
	}
	s.begun = true
	return s.write(header)
}

func (s *stream) write(data []byte) error {
	n, err := s.w.Write(data)
	if err == nil && n < len(data) {
		err = io.ErrShortWrite
	}
	if err != nil {
		return fmt.Errorf("writing results: %w", err)
	}
	return nil
}
