package sink

import (
	"bytes"
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
// is. Memory is 16 bytes a record.
func WriteResponse(path, recordsPath string, totals ResponseTotals) error {
	records, err := os.Open(recordsPath)
	if err != nil {
		return fmt.Errorf("writing response %s: %w", path, err)
	}
	defer func() { _ = records.Close() }()
	if err := refuseSame(path, records); err != nil {
		return err
	}
	places, summary, err := survey(recordsPath, records)
	if err != nil {
		return fmt.Errorf("writing response %s: %w", path, err)
	}
	summary.WallTime = totals.WallTime
	summary.TotalRequests = cmp.Or(totals.TotalRequests, summary.TotalRequests)
	err = replaceFile(path, createBeside, func(w io.Writer) error { return assemble(w, records, places, &summary) })
	if err != nil {
		return fmt.Errorf("writing response %s: %w", path, err)
	}
	return nil
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

// place says where a record begins.
type place struct{ index, offset int64 }

func (p place) compare(q place) int {
	return cmp.Or(cmp.Compare(p.index, q.index), cmp.Compare(p.offset, q.offset))
}

// survey finds and counts the records, and returns their places in the order of their index.
func survey(path string, r io.Reader) ([]place, batch.Summary, error) {
	var places []place
	var summary batch.Summary
	records := newRecordReader(path, r)
	for records.next() {
		places = append(places, place{*records.record.Index, records.start})
		records.record.addTo(&summary)
	}
	slices.SortFunc(places, place.compare)
	return places, summary, records.err
}

func assemble(w io.Writer, records io.ReaderAt, places []place, summary *batch.Summary) error {
	head := append(summary.AppendJSONMembers([]byte{'{'}), `,"results":[`...)
	if _, err := w.Write(head); err != nil {
		return err
	}
	window := window{file: records}
	for i, p := range places {
		separator := ",\n"
		if i == 0 {
			separator = "\n"
		}
		if _, err := io.WriteString(w, separator); err != nil {
			return err
		}
		line, err := window.line(p.offset)
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

// window is a part of a file in memory. Results finish nearly in order, so that the next line is nearly always in it.
type window struct {
	file  io.ReaderAt
	buf   []byte
	data  []byte // what of buf is filled
	start int64  // the offset of data in the file
}

const windowSize = 256 << 10

// line returns the line at offset, without space around it; it is valid until the next call.
func (w *window) line(offset int64) ([]byte, error) {
	if at := offset - w.start; at >= 0 && at < int64(len(w.data)) {
		if end := bytes.IndexByte(w.data[at:], '\n'); end >= 0 {
			return bytes.TrimSpace(w.data[at : at+int64(end)]), nil
		}
	}
	// Half of the window lies before the line: what comes next may have finished a little earlier.
	if err := w.fill(max(0, offset-windowSize/2), windowSize); err != nil {
		return nil, err
	}
	for size := windowSize; ; size *= 2 {
		at := offset - w.start
		if at >= int64(len(w.data)) {
			return nil, fmt.Errorf("the records have changed: %w", io.ErrUnexpectedEOF)
		}
		if end := bytes.IndexByte(w.data[at:], '\n'); end >= 0 {
			return bytes.TrimSpace(w.data[at : at+int64(end)]), nil
		}
		if len(w.data) < size { // the last line may lack its end
			return bytes.TrimSpace(w.data[at:]), nil
		}
		if err := w.fill(offset, 2*size); err != nil {
			return nil, err
		}
	}
}

func (w *window) fill(start int64, size int) error {
	if cap(w.buf) < size {
		w.buf = make([]byte, size)
	}
	n, err := w.file.ReadAt(w.buf[:size], start)
	if err != nil && !errors.Is(err, io.EOF) {
		return err
	}
	w.start, w.data = start, w.buf[:n]
	return nil
}
