package main

import (
	"context"
	"errors"
	"io"
	"os"

	"github.com/gluepipe/gluepipe/source"
	"github.com/gluepipe/gluepipe/stages/batch"
)

// standard is the name of standard input and output.
const standard = "-"

// input is the requests of a run. It warns of fields that mean nothing, and ends after a number of requests.
type input struct {
	batch.Source
	format  string         // of the file; "" of what is none
	rows    bool           // whether requests are made of rows
	columns []batch.Column // of these rows, where they are known
	size    int            // how many requests there are; below 0: nobody knows
	left    int            // requests to take; below 0: all
	taken   func(*batch.Item)
	free    []func() error // what Close closes besides
}

// openInput opens a file, standard input, a URL, a database, or many files. taken is called with each item, from the
// goroutine that reads.
func (a *app) openInput(ctx context.Context, s *settings, path string, taken func(*batch.Item)) (*input, error) {
	in := &input{size: -1, left: s.limit, taken: taken}
	if in.left == 0 {
		in.left = -1
	}
	if err := a.openRequests(ctx, s, path, in); err != nil {
		return nil, errors.Join(err, in.Close())
	}
	if sized, ok := in.Source.(source.Sized); ok {
		in.size = sized.Len()
	}
	return in, nil
}

func (i *input) Next(ctx context.Context) (*batch.Item, error) {
	if i.left == 0 {
		return nil, io.EOF
	}
	item, err := i.Source.Next(ctx)
	if err == nil {
		i.left--
		i.taken(item)
	}
	return item, err
}

// Close closes the source, and what was opened for it.
func (i *input) Close() error {
	var err error
	if i.Source != nil {
		err = i.Source.Close()
	}
	for _, free := range i.free {
		err = errors.Join(err, free())
	}
	return err
}

func (s *settings) inputName(path string) string {
	switch {
	case s.glob != "":
		return s.glob
	case path == standard:
		return "standard input"
	case isDatabase(path):
		return databaseName(path)
	}
	return path
}

// readableTwice tells whether the input can be read again from its start.
func (s *settings) readableTwice(path string) bool {
	info, err := os.Stat(path)
	return s.glob != "" || s.query == "" && path != standard && err == nil && info.Mode().IsRegular()
}
