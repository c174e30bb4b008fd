package sink

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"

	"github.com/gluepipe/gluepipe/stages/batch"
)

// WriteResponse writes to path the [batch.Response] of the records in the file at recordsPath, which a JSON Lines sink of
// this package wrote in one run or several. Results stand in the order of their index; a record that broke off at the file's
// end is left out. A file at path is replaced as a whole once the response is complete; a pipe or device is written to as it
// is. It is compressed where its name ends in .gz or .zst; so may the records be, whose text then stands in a temporary file
// meanwhile. Where another run is about to write the same response, this one is refused. Memory is 16 bytes a record.
func WriteResponse(path, recordsPath string, totals ResponseTotals) error {
	create := func() (*os.File, error) { return reserve(path, 0o666) }
	return writeResponse(path, create, []string{recordsPath}, totals)
}

// reserve creates the file that will replace the response at path, and locks it: it is one for all runs.
func reserve(path string, mode os.FileMode) (*os.File, error) {
	file, err := createLocked(resolve(path)+".response.tmp", mode)
	if errors.Is(err, errInUse) {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return file, err
}

// writeResponse writes a response of the records in several files.
func writeResponse(path string, create creator, recordsPaths []string, totals ResponseTotals) (err error) {
	defer func() {
		if err != nil {
			err = fmt.Errorf("writing response %s: %w", path, err)
		}
	}()
	var records records
	var summary batch.Summary
	for _, recordsPath := range recordsPaths {
		file, err := os.Open(recordsPath)
		if err != nil {
			return err
		}
		defer func() { _ = file.Close() }()
		if err := refuseSame(path, file); err != nil {
			return err
		}
		text, free, err := seekable(file, path)
		if err != nil {
			return err
		}
		defer free()
		if err := records.survey(recordsPath, text, &summary); err != nil {
			return err
		}
	}
	summary.WallTime = totals.WallTime
	summary.TotalRequests = cmp.Or(totals.TotalRequests, summary.TotalRequests)
	summary.FailedRequests = max(totals.FailedRequests, summary.FailedRequests)
	summary.UnfinishedRequests = totals.UnfinishedRequests
	assemble := func(w io.Writer) error { return records.assemble(w, &summary) }
	return replaceFile(path, create, codecNamed(path).compressed(assemble))
}

// refuseSame protects the records from being replaced by their response.
func refuseSame(path string, records *os.File) error {
	target, err := os.Stat(path)
	if err != nil {
		return nil // nothing there to lose
	}
	source, err := records.Stat()
	if err != nil {
		return err
	}
	if os.SameFile(target, source) {
		return fmt.Errorf("the response can't replace its records: %s is the same file as %s", path, records.Name())
	}
	return nil
}

// records are those of several files.
type records struct {
	parts  []part
	places []place
}

// part is one file. Its offsets follow those of the part before.
type part struct {
	start  int64
	window window
}

// place says where a record begins.
type place struct{ index, offset int64 }

func (p place) compare(q place) int {
	return cmp.Or(cmp.Compare(p.index, q.index), cmp.Compare(p.offset, q.offset))
}

// survey finds and counts the records of one more file.
func (r *records) survey(path string, file *os.File, summary *batch.Summary) error {
	start := int64(0)
	if n := len(r.places); n > 0 {
		start = r.places[n-1].offset + 1
	}
	r.parts = append(r.parts, part{start: start, window: window{file: file}})
	reader := newLineReader(path, file, decodeResult, beginsResult)
	reader.readAll(nil, func(part *linePart) {
		for _, m := range part.marks {
			r.places = append(r.places, place{m.index, start + part.start + m.start})
		}
		summary.Merge(&part.summary)
	})
	_, err := reader.end()
	return err
}

// line returns the line at a place; it is valid until the next call.
func (r *records) line(p place) ([]byte, error) {
	part := &r.parts[0]
	for i := range r.parts {
		if r.parts[i].start <= p.offset {
			part = &r.parts[i]
		}
	}
	return part.window.line(p.offset - part.start)
}

// assemble writes the response, with the results in the order of their index.
func (r *records) assemble(w io.Writer, summary *batch.Summary) error {
	slices.SortFunc(r.places, place.compare)
	head := append(summary.AppendJSONMembers([]byte{'{'}), `,"results":[`...)
	if _, err := w.Write(head); err != nil {
		return err
	}
	for i, p := range r.places {
		separator := ",\n"
		if i == 0 {
			separator = "\n"
		}
		if _, err := io.WriteString(w, separator); err != nil {
			return err
		}
		line, err := r.line(p)
		if err != nil {
			return err
		}
		if _, err := w.Write(line); err != nil {
			return err
		}
	}
	_, err := io.WriteString(w, "\n]}\n")
	return err
}
