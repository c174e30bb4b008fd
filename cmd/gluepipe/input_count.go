package main

import (
	"bytes"
	"context"
	"io"

	"github.com/gluepipe/gluepipe/source"
	"github.com/gluepipe/gluepipe/stages/batch"
)

// limited returns how many of n requests are taken.
func (s *settings) limited(n int) int {
	if s.limit > 0 {
		n = min(n, s.limit)
	}
	return n
}

// countRecords counts the requests of an input that can be read again. It ends early with ctx's error.
func (a *app) countRecords(ctx context.Context, s *settings, path, format string) (int, error) {
	switch format {
	case formatJSONL, formatBatch, formatLines:
		return countLines(ctx, path)
	}
	// What isn't a line a record is read, but for its images.
	plain := *s
	plain.imageColumn = ""
	again, err := a.openInput(ctx, &plain, path, func(*batch.Item) {})
	if err != nil {
		return 0, err
	}
	defer func() { _ = again.Close() }()
	for n := 0; ; n++ {
		if _, err := again.Source.Next(ctx); err == io.EOF {
			return n, nil
		} else if err != nil {
			return 0, err
		}
	}
}

// countLines counts the lines of a file that aren't blank. It ends early with ctx's error.
func countLines(ctx context.Context, path string) (int, error) {
	file, err := source.Open(path)
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
