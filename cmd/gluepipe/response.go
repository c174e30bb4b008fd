package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"slices"

	"github.com/gluepipe/gluepipe/sink"
	"github.com/gluepipe/gluepipe/stages/batch"
)

// checkResponse finds out, before anything is touched, whether a response can be written.
func (s *settings) checkResponse(inputFormat string) error {
	path := s.response
	if path == "" {
		return nil
	}
	if format := s.outputFormatOf(s.output, inputFormat); format != formatJSONL ||
		s.errors != "" && s.outputFormatOf(s.errors, inputFormat) != formatJSONL {
		return usagef("--response: is made of results in JSON Lines: want outputs of that format")
	}
	response, err := sink.Response(path, sink.ResponseOptions{})
	if failed, ok := errors.AsType[*fs.PathError](err); ok { // of a temporary file
		err = fmt.Errorf("writing %s: %w", path, failed.Err)
	}
	if err != nil {
		return fmt.Errorf("--response: %w", err)
	}
	response.Discard()
	return nil
}

// openResponse is called when nothing else keeps the run from beginning: a response that exists is only replaced by one of
// a run. path may be "".
//
// The response is assembled from the records on disk, so that it speaks of all runs over an output; where they can't be read
// again, from a copy of this run's.
func (o *output) openResponse(path string) (err error) {
	if path == "" {
		return nil
	}
	options := sink.ResponseOptions{Mode: o.mode}
	if o.path != standard && !slices.ContainsFunc(o.files, func(f resultFile) bool { return !isRegular(f.Path()) }) {
		for _, file := range o.files {
			options.From = append(options.From, file.(*sink.File)) // JSON Lines, by checkResponse
		}
	}
	o.responsePath = path
	if o.response, err = sink.Response(path, options); err != nil {
		return fmt.Errorf("--response: %w", err)
	}
	return nil
}

// writeResponse ends the run's account when it is over, also when it broke: it corrects the summary by what the files have
// of a batch that failed, and writes the response, which counts the same records.
func (o *output) writeResponse(ctx context.Context, summary *batch.Summary) error {
	for _, r := range o.partial {
		recount(summary, r)
	}
	if o.response == nil {
		return nil
	}
	o.response.Totals = sink.ResponseTotals{
		WallTime: summary.WallTime, TotalRequests: summary.TotalRequests,
		FailedRequests: summary.FailedRequests, UnfinishedRequests: summary.UnfinishedRequests,
	}
	return o.response.Close(ctx)
}

// recount counts a result for what it is, which a broken run has counted as not finished.
func recount(summary *batch.Summary, r *batch.Result) {
	summary.UnfinishedRequests--
	summary.FailedRequests--
	if summary.FailedByType[batch.ErrCancelled]--; summary.FailedByType[batch.ErrCancelled] == 0 {
		delete(summary.FailedByType, batch.ErrCancelled)
	}
	if r.Success {
		summary.SuccessfulRequests++
		return
	}
	summary.FailedRequests++
	summary.FailedByType[r.ErrorType]++
}
