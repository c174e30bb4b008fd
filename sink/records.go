package sink

import (
	"os"
	"sync/atomic"

	"github.com/gluepipe/gluepipe/stages/batch"
)

// Records knows what a file of results has: which requests, and how they went. It is safe for concurrent use.
type Records struct {
	path    string
	index   *index
	earlier batch.Summary
	looked  atomic.Bool // for the fingerprint of a request that has changed
}

// ReadRecords reads a file of results and changes nothing: a run may be writing it. A last record that has broken off, or is
// being written, doesn't count. Memory is 16 bytes a record.
func ReadRecords(path string) (*Records, error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer func() { _ = file.Close() }()
	r := newRecords(path)
	_, err = r.load(newRecordReader(path, file))
	return r, err
}

func newRecords(path string) *Records { return &Records{path: path, index: newIndex()} }

// load takes the records that a reader finds, and returns how many ids a later record has too.
func (r *Records) load(records *recordReader) (repeated int, err error) {
	for records.next() {
		r.index.add(*records.record.ID, records.record.Fingerprint)
		records.record.addTo(&r.earlier)
	}
	return r.index.build(), records.err
}

// Done tells whether there is a record of this id. It is a [*ChangedError] if that record belongs to another request: if
// both have a fingerprint, and these differ.
func (r *Records) Done(id, fingerprint string) (bool, error) {
	found, same := r.index.find(id, fingerprint)
	if found && !same {
		return false, r.changed(id, fingerprint)
	}
	return found, nil
}

// Earlier returns the counts of the records. TotalRequests is their number.
func (r *Records) Earlier() batch.Summary { return r.earlier }

// changed looks in the file for what the index keeps only a hash of: for the first request that has changed, since the file
// is long and others may have changed too.
func (r *Records) changed(id, now string) *ChangedError {
	e := &ChangedError{Path: r.path, ID: id, Earlier: "another", Now: now}
	if r.looked.Swap(true) {
		return e
	}
	file, err := os.Open(r.path)
	if err != nil {
		return e
	}
	defer func() { _ = file.Close() }()
	for records := newRecordReader(r.path, file); records.next(); {
		if *records.record.ID == id {
			e.Earlier, e.Failed = records.record.Fingerprint, !*records.record.Success
		}
	}
	return e
}
