package sink

import (
	"io"
	"os"
	"sync/atomic"

	"github.com/gluepipe/gluepipe/stages/batch"
	"github.com/gluepipe/gluepipe/stages/ids"
)

// Records knows what a file of results has: which requests, and how they went. It is safe for concurrent use.
type Records struct {
	path    string
	format  format // nil where the records aren't in a file
	index   *ids.Index
	earlier batch.Summary
	looked  atomic.Bool // for the fingerprint of a request that has changed
}

// ReadRecords reads a file of results that [OpenJSONL] writes and changes nothing: a run may be writing it. A last record
// that has broken off, or is being written, doesn't count. Memory is 16 bytes a record.
func ReadRecords(path string) (*Records, error) { return readRecords(path, jsonLines{}) }

func readRecords(path string, format format) (*Records, error) {
	records, file, err := openRecords(path, format)
	if err != nil {
		return nil, err
	}
	defer func() { _ = file.Close() }()
	r := newRecords(path, format)
	_, err = r.load(records)
	return r, err
}

// openRecords opens a file for its records to be read. The caller closes it.
func openRecords(path string, format format) (recordReader, io.Closer, error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, nil, err
	}
	return format.records(path, textOf(path, file)), file, nil
}

func newRecords(path string, format format) *Records {
	return &Records{path: path, format: format, index: ids.NewIndex()}
}

// load takes the records that a reader finds, and returns how many ids a later record has too.
func (r *Records) load(records recordReader) (repeated int, err error) {
	add := func(entry ids.Entry) {
		if !r.index.Add(entry) {
			repeated++
		}
	}
	if lines, ok := records.(*lineReader); ok {
		lines.readAll(r.index, func(part *linePart) {
			for _, m := range part.marks {
				add(m.entry)
			}
			r.earlier.Merge(&part.summary)
		})
	}
	for records.next() {
		found := records.found()
		add(r.index.Hash([]byte(found.id), []byte(found.fingerprint)))
		found.addTo(&r.earlier)
	}
	_, err = records.end()
	return repeated, err
}

// Done tells whether there is a record of this id. It is a [*ChangedError] if that record belongs to another request: if
// both have a fingerprint, and these differ.
func (r *Records) Done(id, fingerprint string) (bool, error) {
	found, same := r.index.Find(id, fingerprint)
	if found && !same {
		return false, r.changed(id, fingerprint)
	}
	return found, nil
}

// IDs returns the ids of the records. It must not be added to.
func (r *Records) IDs() *ids.Index { return r.index }

// Earlier returns the counts of the records. TotalRequests is their number.
func (r *Records) Earlier() batch.Summary { return r.earlier }

// changed looks in the file for what the index keeps only a hash of: for the first request that has changed, since the file
// is long and others may have changed too.
func (r *Records) changed(id, now string) *ChangedError {
	e := &ChangedError{Path: r.path, ID: id, Earlier: "another", Now: now}
	if r.format == nil || r.looked.Swap(true) {
		return e
	}
	records, file, err := openRecords(r.path, r.format)
	if err != nil {
		return e
	}
	defer func() { _ = file.Close() }()
	for records.next() {
		if found := records.found(); found.id == id {
			e.Earlier, e.Failed = found.fingerprint, !found.success
		}
	}
	return e
}
