package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"regexp"
	"strings"

	"github.com/gluepipe/gluepipe/source"
	"github.com/gluepipe/gluepipe/stages/batch"
)

// inputText is a file by its path, whose errors then name it, or what a reader gives.
type inputText struct {
	path   string
	reader io.Reader
}

func (t inputText) csv(o source.CSVOptions) (source.RowReader, error) {
	if t.reader != nil {
		return rows(source.CSV(t.reader, o))
	}
	return rows(source.OpenCSV(t.path, o))
}

func (t inputText) lines(o source.LinesOptions) (source.RowReader, error) {
	if t.reader != nil {
		return source.Lines(t.reader, o), nil
	}
	return rows(source.OpenLines(t.path, o))
}

func (t inputText) objects(o source.ObjectsOptions) (source.RowReader, error) {
	if t.reader != nil {
		return source.Objects(t.reader, o), nil
	}
	return rows(source.OpenObjects(t.path, o))
}

func (t inputText) array(o source.ArrayOptions) (source.RowReader, error) {
	if t.reader != nil {
		return source.Array(t.reader, o), nil
	}
	return rows(source.OpenArray(t.path, o))
}

func (t inputText) requests(o source.ArrayOptions) (batch.Source, error) {
	if t.reader != nil {
		return source.JSONArray(t.reader, o), nil
	}
	return source.OpenJSONArray(t.path, o)
}

func (t inputText) batch(o source.BatchOptions) (batch.Source, error) {
	if t.reader != nil {
		return source.Batch(t.reader, o), nil
	}
	return source.OpenBatch(t.path, o)
}

func (t inputText) jsonl(maxLineBytes int) (batch.Source, error) {
	requests := source.JSONL(t.reader)
	if t.reader == nil {
		var err error
		if requests, err = source.OpenJSONL(t.path); err != nil {
			return nil, err
		}
	}
	requests.MaxLineBytes = maxLineBytes
	return requests, nil
}

func isURL(name string) bool {
	return strings.HasPrefix(name, "http://") || strings.HasPrefix(name, "https://")
}

// unknownScheme says what is read and written.
const unknownScheme = "want a file, a URL of http or https to read from, or a database, postgres://... or sqlite:FILE"

var anyScheme = regexp.MustCompile(`^[A-Za-z][A-Za-z0-9+.-]*://`)

// hasScheme tells whether a name is an address rather than a file.
func hasScheme(name string) bool { return anyScheme.MatchString(name) }

// get opens what is at a URL.
func (a *app) get(ctx context.Context, address string) (io.ReadCloser, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return nil, usagef("%s is no URL", withoutSecrets(address))
	}
	req.Header.Set("User-Agent", "gluepipe")
	resp, err := http.DefaultClient.Do(req)
	if failed, ok := errors.AsType[*url.Error](err); ok { // without the URL, which may have a key
		return nil, fmt.Errorf("reading %s: %w", withoutSecrets(address), failed.Err)
	}
	if err != nil {
		return nil, fmt.Errorf("reading %s: %w", withoutSecrets(address), err)
	}
	if resp.StatusCode != http.StatusOK {
		_ = resp.Body.Close()
		return nil, fmt.Errorf("reading %s: the server says %s", withoutSecrets(address), resp.Status)
	}
	return resp.Body, nil
}
