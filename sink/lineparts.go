package sink

import (
	"bufio"
	"bytes"
	"io"
	"runtime"
	"sync"

	"github.com/gluepipe/gluepipe/stages/batch"
	"github.com/gluepipe/gluepipe/stages/ids"
)

const (
	// partSize is how much of a file is read at once, unless a line is longer.
	partSize = 256 << 10
	// maxLineWorkers bounds the memory on machines of many cores, of which a few read as fast as disks are.
	maxLineWorkers = 8
)

// linePart is a stretch of whole lines, and what stands in them.
type linePart struct {
	text    []byte
	start   int64 // its offset in the file
	lines   int
	marks   []mark
	summary batch.Summary
	broken  bool // a line is no record
	read    chan struct{}
}

// mark is what is kept of a record on the way to an index.
type mark struct {
	entry        ids.Entry
	index, start int64 // start is the offset in the part
}

// readAll reads what is left as next does, several parts of it at once, and calls take with the parts in their order. A part
// is valid during the call. index may be nil: then the marks have no entries.
func (r *lineReader) readAll(index *ids.Index, take func(*linePart)) {
	workers := min(runtime.GOMAXPROCS(0), maxLineWorkers)
	work := make(chan *linePart, 2*workers)
	var working sync.WaitGroup
	for range workers {
		working.Go(func() {
			for part := range work {
				part.readLines(r.decode, index)
				part.read <- struct{}{}
			}
		})
	}
	defer working.Wait()
	defer close(work)

	var reading, idle []*linePart
	var rest []byte // of a line whose end was not read yet
	var err error   // of the file
	for err == nil || len(reading) > 0 {
		if err == nil && len(reading) < cap(work) {
			var part *linePart
			if n := len(idle); n > 0 {
				part, idle = idle[n-1], idle[:n-1]
			} else {
				part = &linePart{read: make(chan struct{}, 1)}
			}
			rest, err = part.fill(r.in, rest)
			reading = append(reading, part)
			work <- part
			continue
		}
		part := reading[0]
		reading = reading[1:]
		<-part.read
		if part.broken {
			r.readAgain(part.text, nil, index, take)
			return
		}
		part.start = r.ending.offset
		take(part)
		r.number += part.lines
		r.ending.offset += int64(len(part.text))
		idle = append(idle, part)
	}
	if err == io.EOF {
		err = nil
	}
	r.readAgain(rest, err, index, take)
}

// readAgain reads lines one by one: those of a part that has one which is no record, or the last one, which lacks its end.
// err is why there is no more.
func (r *lineReader) readAgain(text []byte, err error, index *ids.Index, take func(*linePart)) {
	in := io.Reader(bytes.NewReader(text))
	if err != nil {
		in = io.MultiReader(in, failingReader{err})
	}
	r.in = bufio.NewReaderSize(in, partSize)
	for r.next() {
		part := linePart{start: r.last.start}
		part.add(&r.last.record, 0, index)
		take(&part)
	}
}

// failingReader fails to read.
type failingReader struct{ err error }

func (f failingReader) Read([]byte) (int, error) { return 0, f.err }

// fill reads whole lines, which begin with what was left of the last part, and returns what is left now.
func (p *linePart) fill(in io.Reader, rest []byte) (left []byte, err error) {
	if cap(p.text) > maxKeptBuffer || cap(p.text) < partSize {
		p.text = make([]byte, 0, partSize)
	}
	p.text = append(p.text[:0], rest...)
	searched := 0
	for err == nil {
		if len(p.text) == cap(p.text) {
			if end := bytes.LastIndexByte(p.text[searched:], '\n'); end >= 0 {
				break
			}
			searched = len(p.text)
			p.text = append(p.text, make([]byte, len(p.text))...)[:searched]
		}
		var n int
		n, err = in.Read(p.text[len(p.text):cap(p.text)])
		p.text = p.text[:len(p.text)+n]
	}
	end := bytes.LastIndexByte(p.text, '\n') + 1
	rest = append(rest[:0], p.text[end:]...)
	p.text = p.text[:end]
	return rest, err
}

// readLines reads the records, until a line is none.
func (p *linePart) readLines(decode func([]byte, *record) error, index *ids.Index) {
	p.lines, p.marks, p.summary, p.broken = 0, p.marks[:0], batch.Summary{}, false
	var r record
	start := int64(0)
	for line := range bytes.Lines(p.text) {
		if text := bytes.TrimSpace(line); len(text) > 0 {
			if decode(text, &r) != nil {
				p.broken = true
				return
			}
			p.add(&r, start, index)
		}
		p.lines++
		start += int64(len(line))
	}
}

func (p *linePart) add(r *record, start int64, index *ids.Index) {
	m := mark{index: r.index, start: start}
	if index != nil {
		m.entry = index.Hash([]byte(r.id), []byte(r.fingerprint))
	}
	p.marks = append(p.marks, m)
	r.addTo(&p.summary)
}
