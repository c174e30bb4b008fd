package sink

import (
	"bytes"
	"errors"
	"fmt"
	"io"
)

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
