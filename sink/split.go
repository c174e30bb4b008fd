package sink

import (
	"context"
	"errors"

	"github.com/gluepipe/gluepipe/stages/batch"
)

// Splitter is a sink that parts successes from failures; see [Split].
type Splitter struct {
	good, bad half
}

// Split returns a sink that gives successes to good and failures to bad. A nil sink discards its half. Where one fails, the
// other still gets its results; the errors are joined. Close closes both, good first.
func Split(good, bad batch.Sink) *Splitter {
	return &Splitter{good: half{sink: good}, bad: half{sink: bad}}
}

// half is one side of a split, and the results of the present batch that are for it.
type half struct {
	sink    batch.Sink
	results []*batch.Result
}

// Write gives each result to its half. A half without results in the batch isn't written to.
func (s *Splitter) Write(ctx context.Context, results []*batch.Result) error {
	for _, r := range results {
		if r.Success {
			s.good.results = append(s.good.results, r)
		} else {
			s.bad.results = append(s.bad.results, r)
		}
	}
	return errors.Join(s.good.write(ctx), s.bad.write(ctx))
}

func (h *half) write(ctx context.Context) error {
	defer func() {
		clear(h.results)
		h.results = h.results[:0]
	}()
	if h.sink == nil || len(h.results) == 0 {
		return nil
	}
	return h.sink.Write(ctx, h.results)
}

// Close closes both halves.
func (s *Splitter) Close(ctx context.Context) error {
	return errors.Join(s.good.close(ctx), s.bad.close(ctx))
}

func (h *half) close(ctx context.Context) error {
	if h.sink == nil {
		return nil
	}
	return h.sink.Close(ctx)
}

// resumable is a sink that knows what an earlier run wrote, such as [JSONLFile].
type resumable interface {
	Done(id, fingerprint string) (bool, error)
	Earlier() batch.Summary
}

// Done tells whether a half that knows its earlier records has one of this id; see [JSONLFile.Done].
func (s *Splitter) Done(id, fingerprint string) (bool, error) {
	for _, h := range []half{s.good, s.bad} {
		if r, ok := h.sink.(resumable); ok {
			if done, err := r.Done(id, fingerprint); done || err != nil {
				return done, err
			}
		}
	}
	return false, nil
}

// Earlier returns the counts of the earlier records of both halves, as far as they know them.
func (s *Splitter) Earlier() batch.Summary {
	var sum batch.Summary
	for _, h := range []half{s.good, s.bad} {
		if r, ok := h.sink.(resumable); ok {
			earlier := r.Earlier()
			sum.Merge(&earlier)
		}
	}
	return sum
}
