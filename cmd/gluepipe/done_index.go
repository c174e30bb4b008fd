package main

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"hash/maphash"
	"io"
	"io/fs"
	"os"

	"github.com/gluepipe/gluepipe/stages/batch"
)

// doneIndex knows what a file of results has, in 16 bytes a record. Other than opening the file to continue it, reading it
// changes nothing: a run may be writing it.
type doneIndex struct {
	path string
	seed maphash.Seed
	done map[uint64]uint64 // hash of the id: hash of the fingerprint, or 0 where there is none
}

// readDone returns nil, an index of nothing, where there is no file. path may be "".
func readDone(path string) (*doneIndex, error) {
	if path == "" {
		return nil, nil
	}
	file, err := os.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	defer file.Close()
	d := &doneIndex{path: path, seed: maphash.MakeSeed(), done: map[uint64]uint64{}}
	lines := bufio.NewReaderSize(file, 256<<10)
	for number := 1; ; number++ {
		line, err := lines.ReadBytes('\n')
		var record struct {
			ID          string
			Success     *bool
			Fingerprint string
		}
		switch bad := json.Unmarshal(line, &record); {
		case err != nil && err != io.EOF:
			return nil, fmt.Errorf("reading %s: %w", path, err)
		case bad == nil && record.ID != "" && record.Success != nil:
			d.done[d.hash(record.ID)] = d.hash(record.Fingerprint)
		case err == io.EOF:
			// Nothing, or a line that has broken off or is being written.
		case len(line) > 1:
			return nil, fmt.Errorf("%s: line %d is no result: want the output of a run", path, number)
		}
		if err == io.EOF {
			return d, nil
		}
	}
}

func (d *doneIndex) hash(text string) uint64 {
	if text == "" {
		return 0
	}
	return maphash.String(d.seed, text)
}

// has tells whether the file has the request; an error says that it has another one of that id.
func (d *doneIndex) has(item *batch.Item) (bool, error) {
	if d == nil {
		return false, nil
	}
	fingerprint := item.Fingerprint
	if fingerprint == "" && item.Result != nil {
		fingerprint = item.Result.Fingerprint
	}
	recorded, found := d.done[d.hash(item.ID())]
	if current := d.hash(fingerprint); found && recorded != 0 && current != 0 && recorded != current {
		return false, fmt.Errorf("request %q has changed since its record in %s was written: a run would refuse it",
			item.ID(), d.path)
	}
	return found, nil
}
