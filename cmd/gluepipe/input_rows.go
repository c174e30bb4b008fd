package main

import (
	"context"
	"errors"

	"github.com/gluepipe/gluepipe/source"
	"github.com/gluepipe/gluepipe/stages/batch"
)

// maxLooked is how many rows in a row must lack a column for it to be a mistake of who named it.
const maxLooked = 100

// lookedAt finds out before the first call that a column is missing in rows whose columns aren't known beforehand: it reads
// ahead until a row has it. What it returns yields these rows, too.
func lookedAt(ctx context.Context, src batch.Source) (batch.Source, error) {
	seen := &ahead{Source: src}
	for len(seen.items) < maxLooked {
		item, err := src.Next(ctx)
		if err != nil {
			seen.err = err
			break
		}
		seen.items = append(seen.items, item)
		if columnError(item) == nil {
			return seen, nil
		}
	}
	if len(seen.items) > 0 {
		return src, columnError(seen.items[0])
	}
	return seen, nil
}

// columnError returns the error of a row that lacks a column, or nil.
func columnError(item *batch.Item) error {
	if item.Result == nil {
		return nil
	}
	if missing, ok := errors.AsType[*source.ColumnError](item.Result.Err); ok {
		return missing
	}
	return nil
}

// ahead is a source of which items, and the error behind them, were taken already.
type ahead struct {
	batch.Source
	items []*batch.Item
	err   error
}

func (a *ahead) Next(ctx context.Context) (*batch.Item, error) {
	if len(a.items) > 0 {
		item := a.items[0]
		a.items = a.items[1:]
		return item, nil
	}
	if a.err != nil {
		return nil, a.err
	}
	return a.Source.Next(ctx)
}
