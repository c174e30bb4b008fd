package source

import (
	"context"
	"errors"
	"io"
	"strconv"

	"github.com/gluepipe/gluepipe/stages/batch"
)

// JSONArray returns a source of the requests in a JSON array, as [batch.Request] has them, and never closes r. A request
// without an id gets row-<n>, its place in the array, from 1.
//
// An element that is no request is yielded as an item that has failed with [batch.ErrInvalidRequest] and says where. What
// ends the run, what stays in memory and when Next blocks is as with [Array].
func JSONArray(r io.Reader, options ArrayOptions) batch.Source {
	return &jsonArray{newElements(r, options, given())}
}

// OpenJSONArray returns a source of the requests in the file at path, of plain text or compressed: see [JSONArray] and [Open].
// Close closes the file, while Next blocks, too. Its errors name the path.
func OpenJSONArray(path string, options ArrayOptions) (batch.Source, error) {
	elements, err := openElements(path, options)
	if err != nil {
		return nil, err
	}
	return &jsonArray{elements}, nil
}

type jsonArray struct{ *elements }

func (a *jsonArray) Next(ctx context.Context) (*batch.Item, error) {
	request := &batch.Request{}
	err := a.read(ctx, request.UnmarshalJSON)
	if bad, ok := errors.AsType[*RowError](err); ok {
		item := bad.item()
		bad.Raw = nil // the reader's
		return item, nil
	}
	if err != nil {
		return nil, err
	}
	number := strconv.Itoa(a.scanner.number)
	if request.ID == "" {
		request.ID = unitRow + "-" + number
	}
	return &batch.Item{Origin: unitRow + " " + number, Request: request}, nil
}
