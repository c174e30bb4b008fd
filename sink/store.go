package sink

import (
	"fmt"
	"io"
	"os"
	"sort"
)

// store is how the records of a file lie on the disk.
type store interface {
	// reader reads the records that earlier runs have left, from the beginning of the file.
	reader() io.Reader
	// mend cuts away what broke off at the end of them, and adds missing. It is called once, when they were all read, or when
	// the file was emptied, and before the first append; never for a pipe or device. replaced says that another file has
	// taken the place of this one, which has nothing left to mend.
	mend(found ending, missing []byte) (replaced bool, err error)
	// append adds records. It returns how many of them a later run will find, the first ones: where it fails, it takes back
	// what was written of a record in part.
	append(records encoded) (kept int, err error)
	// size is where the last whole record ends on the disk.
	size() int64
	// finish completes the file, before it is closed or copied.
	finish() error
}

// plain stores records as they are.
type plain struct {
	file    *os.File
	out     io.Writer // the file; a test's disk can be full
	regular bool      // else it is a pipe or device
	end     int64     // of the last whole record of a regular file
}

func (p *plain) reader() io.Reader { return p.file }

func (p *plain) mend(found ending, missing []byte) (replaced bool, err error) {
	p.end = found.offset
	if found.torn > 0 {
		if err := p.file.Truncate(p.end); err != nil {
			return false, err
		}
	}
	n, err := p.file.Write(missing)
	p.end += int64(n)
	return false, err
}

func (p *plain) append(records encoded) (kept int, err error) {
	n, err := p.out.Write(records.data)
	if err != nil {
		return p.takeBack(records.ends, n), fmt.Errorf("writing results: %w", err)
	}
	p.end += int64(n)
	return len(records.ends), nil
}

// takeBack cuts a record that was written in part, and returns how many records stay. Where that fails too, the next opening
// does it. What a pipe has taken of a batch is not known to be read.
func (p *plain) takeBack(ends []int, written int) (kept int) {
	if !p.regular {
		return 0
	}
	end := p.end + int64(written)
	if kept = sort.SearchInts(ends, written+1); kept > 0 {
		p.end += int64(ends[kept-1])
	}
	if info, err := p.file.Stat(); err == nil && info.Size() == end { // nobody else has written since
		_ = p.file.Truncate(p.end)
	}
	return kept
}

func (p *plain) size() int64 { return p.end }

func (p *plain) finish() error { return nil }
