package sink

import (
	"context"
	"errors"
	"slices"

	"github.com/gluepipe/gluepipe/stages/batch"
)

// Multi returns a sink that gives every result to each of the sinks, one sink after the other. Where one fails, the others
// still get the batch; the errors are joined. Close closes them all, in order.
func Multi(sinks ...batch.Sink) batch.Sink {
	if slices.Contains(sinks, nil) {
		panic("gluepipe: sink.Multi needs sinks that are not nil")
	}
	return multi(slices.Clone(sinks))
}

type multi []batch.Sink

func (m multi) Write(ctx context.Context, results []*batch.Result) error {
	errs := make([]error, len(m))
	for i, s := range m {
		errs[i] = s.Write(ctx, results)
	}
	return errors.Join(errs...)
}

func (m multi) Close(ctx context.Context) error {
	errs := make([]error, len(m))
	for i, s := range m {
		errs[i] = s.Close(ctx)
	}
	return errors.Join(errs...)
}
