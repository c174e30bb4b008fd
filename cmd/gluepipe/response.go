package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/gluepipe/gluepipe/sink"
	"github.com/gluepipe/gluepipe/stages/batch"
)

// response is the file for all results as one JSON object. It is assembled from the records on disk, so that it speaks of
// all runs over an output; where the results go to standard output, from a copy of this run's.
type response struct {
	path  string
	spool *sink.ResponseFile // the copy; nil where the records are on disk
}

// checkResponse finds out, before anything is touched, whether a response can be written. path may be "".
func checkResponse(path string) error {
	info, err := os.Stat(path)
	switch {
	case path == "", err == nil && !info.IsDir() && !info.Mode().IsRegular(): // a pipe or device
		return nil
	case err == nil && info.IsDir():
		return fmt.Errorf("--response: %s is a directory: want a file", path)
	}
	target := path
	if resolved, err := filepath.EvalSymlinks(path); err == nil {
		target = resolved
	}
	probe, err := os.CreateTemp(filepath.Dir(target), filepath.Base(target)+".*.tmp") // as the response itself will be
	if pathErr, ok := errors.AsType[*fs.PathError](err); ok {
		err = pathErr.Err
	}
	if err != nil {
		return fmt.Errorf("--response: writing %s: %w", path, err)
	}
	return errors.Join(probe.Close(), os.Remove(probe.Name()))
}

// openResponse is called when nothing else keeps the run from beginning: a response that exists is only replaced by one of
// a run. path may be "".
func (o *output) openResponse(path string) error {
	if path == "" {
		return nil
	}
	o.response = &response{path: path}
	if o.path != standard {
		return nil
	}
	var err error
	o.response.spool, err = sink.Response(path)
	return err
}

// writeResponse writes the response when the run is over, also one that broke.
func (o *output) writeResponse(ctx context.Context, summary *batch.Summary) error {
	if o.response == nil {
		return nil
	}
	totals := sink.ResponseTotals{WallTime: summary.WallTime, TotalRequests: summary.TotalRequests}
	if spool := o.response.spool; spool != nil {
		spool.Totals = totals
		return spool.Close(ctx)
	}
	if len(o.files) == 1 {
		return sink.WriteResponse(o.response.path, o.path, totals)
	}
	joined, err := o.joinFiles()
	if err != nil {
		return err
	}
	defer func() { _ = os.Remove(joined) }()
	return sink.WriteResponse(o.response.path, joined, totals)
}

// joinFiles returns a temporary file with the records of all files.
func (o *output) joinFiles() (path string, err error) {
	joined, err := os.CreateTemp(filepath.Dir(o.path), filepath.Base(o.path)+".*.tmp")
	if err != nil {
		return "", err
	}
	for _, file := range o.files {
		if err = appendFile(joined, file.Path()); err != nil {
			break
		}
	}
	if closeErr := joined.Close(); err == nil {
		err = closeErr
	}
	if err != nil {
		_ = os.Remove(joined.Name())
	}
	return joined.Name(), err
}

func appendFile(to io.Writer, path string) error {
	file, err := os.Open(path)
	if err != nil {
		return err
	}
	defer file.Close()
	_, err = io.Copy(to, file)
	return err
}
