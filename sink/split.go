package sink

import (
	"context"
	"errors"
	"slices"

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

// Write gives each result to its half. A half without results in the batch isn't written to. Where one half fails, the
// error is a [*PartialError] if any of the results were written.
func (s *Splitter) Write(ctx context.Context, results []*batch.Result) error {
	for _, r := range results {
		if r.Success {
			s.good.results = append(s.good.results, r)
		} else {
			s.bad.results = append(s.bad.results, r)
		}
	}
	defer s.good.clear()
	defer s.bad.clear()
	good, goodErr := s.good.write(ctx)
	bad, badErr := s.bad.write(ctx)
	if goodErr == nil && badErr == nil {
		return nil
	}
	return partial(slices.Concat(good, bad), errors.Join(goodErr, badErr))
}

// write returns what was written. It is valid until the next batch.
func (h *half) write(ctx context.Context) (written []*batch.Result, err error) {
	if h.sink == nil || len(h.results) == 0 {
		return nil, nil
	}
	err = h.sink.Write(ctx, h.results)
	return writtenOf(h.results, err), err
}

func (h *half) clear() {
	clear(h.results)
	h.results = h.results[:0]
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

// resumable is a sink that knows what an earlier run wrote, such as [File].
type resumable interface {
	Done(id, fingerprint string) (bool, error)
	Earlier() batch.Summary
}

// Done tells whether a half that knows its earlier records has one of this id; see [File.Done].
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
