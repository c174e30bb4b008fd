package source

import (
	"context"
	"fmt"
	"io"

	"github.com/gluepipe/gluepipe/stages/batch"
)

// Sized is a source that knows how many items it yields in all. It is optional: progress shows a share and an estimate
// of the time left where the source has it.
type Sized interface {
	batch.Source
	// Len returns the number of items from the first to the last, those already yielded included.
	Len() int
}

// Slice returns a source of the given requests. The items point into the slice, which must stay as it is until the run has
// ended. Next never blocks. The source is [Sized].
func Slice(requests []batch.Request) Sized { return &slice{requests: requests} }

type slice struct {
	requests []batch.Request
	next     int
}

func (s *slice) Next(ctx context.Context) (*batch.Item, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	if s.next == len(s.requests) {
		return nil, io.EOF
	}
	s.next++
	return numbered(&s.requests[s.next-1], s.next), nil
}

func (s *slice) Len() int { return len(s.requests) }

func (s *slice) Close() error { return nil }

// numbered makes the item of the n-th request, from 1.
func numbered(request *batch.Request, n int) *batch.Item {
	return &batch.Item{Origin: fmt.Sprintf("request %d", n), Request: request}
}
