package sink

import (
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/gluepipe/gluepipe/stages/batch"
)

// JSONL returns a sink that writes a line of JSON for each result, and one Write call of whole lines for each batch. It
// never closes w. Results are as safe as w makes them when its Write returns. Write blocks for as long as w does.
//
// A result that can't be encoded (metadata made in Go that JSON doesn't know) is an error; the rest of its batch is written.
func JSONL(w io.Writer) batch.Sink { return &jsonl{w: w} }

type jsonl struct {
	w       io.Writer
	encoder encoder
}

func (j *jsonl) Write(_ context.Context, results []*batch.Result) error {
	data, _, encodeErr := j.encoder.lines(results)
	if len(data) == 0 {
		return encodeErr
	}
	n, err := j.w.Write(data)
	if err == nil && n < len(data) {
		err = io.ErrShortWrite
	}
	if err != nil {
		err = fmt.Errorf("writing results: %w", err)
	}
	return errors.Join(encodeErr, err)
}

func (j *jsonl) Close(context.Context) error { return nil }
