package main

import (
	"bytes"
	"context"
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
	left  int // requests to take; below 0: all
	taken func(*batch.Item)
}

// openInput opens a file, or standard input. taken is called with each item, from the goroutine that reads.
func (a *app) openInput(path string, s *settings, taken func(*batch.Item)) (*input, error) {
	var requests *source.JSONLReader
	if path == standard {
		requests = source.JSONL(a.in)
	} else {
		info, err := os.Stat(path)
		if err == nil && info.IsDir() {
			return nil, usagef("%s is a directory: want a file of requests", path)
		}
		if requests, err = source.OpenJSONL(path); err != nil {
			return nil, err
		}
	}
	requests.MaxLineBytes = int(s.maxLineBytes)
	left := s.limit
	if left == 0 {
		left = -1
	}
	return &input{requests, left, taken}, nil
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

func inputName(path string) string {
	if path == standard {
		return "standard input"
	}
	return path
}

// readableTwice tells whether the input can be read again from its start.
func readableTwice(path string) bool {
	info, err := os.Stat(path)
	return path != standard && err == nil && info.Mode().IsRegular()
}

// countLines counts the lines of a file that aren't blank. It ends early with ctx's error.
func countLines(ctx context.Context, path string) (int, error) {
	file, err := os.Open(path)
	if err != nil {
		return 0, err
	}
	defer file.Close()
	count, content := 0, false // content: the line has some so far
	buffer := make([]byte, 256<<10)
	for {
		n, err := file.Read(buffer)
		for chunk := buffer[:n]; len(chunk) > 0; {
			line, rest, ended := bytes.Cut(chunk, []byte{'\n'})
			if content = content || len(bytes.TrimSpace(line)) > 0; content && ended {
				count++
			}
			content = content && !ended
			chunk = rest
		}
		switch {
		case err == io.EOF && content:
			return count + 1, nil
		case err == io.EOF:
			return count, nil
		case err != nil:
			return 0, err
		case ctx.Err() != nil:
			return 0, ctx.Err()
		}
	}
}
