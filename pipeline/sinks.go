package pipeline

import (
	"cmp"
	"context"
	"slices"

	"github.com/gluepipe/gluepipe/stages/batch"
)

// memory collects results, the unfinished ones too.
type memory struct {
	results       []*batch.Result
	onlySuccesses bool
}

func (m *memory) takesUnfinished() bool { return !m.onlySuccesses }

func (m *memory) Write(_ context.Context, results []*batch.Result) error {
	m.results = append(m.results, results...)
	return nil
}

func (m *memory) Close(context.Context) error { return nil }

func (m *memory) inOrder() []*batch.Result {
	slices.SortFunc(m.results, func(a, b *batch.Result) int { return cmp.Compare(a.Index, b.Index) })
	return m.results
}

// nowhere takes what a check finds out.
type nowhere struct{}

func (nowhere) Write(context.Context, []*batch.Result) error { return nil }
func (nowhere) Close(context.Context) error                  { return nil }
