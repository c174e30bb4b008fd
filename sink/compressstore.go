package sink

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"io"
	"os"
)

// memberSize is how much text a member has, a little more: what is behind a broken one can be read.
const memberSize = 1 << 20

// newStore returns the store of a file that was just opened.
func newStore(path string, file *os.File, regular bool) store {
	if c := codecOf(path, file); c != nil {
		return &compressed{path: path, codec: c, file: file, out: file, regular: regular, encoder: c.encoder()}
	}
	return &plain{file: file, out: file, regular: regular}
}

// compressed stores records as compressed text. What an append has written can be read, also where the member that it is in
// breaks off: it is flushed each time. The bytes that end a member are written together with the next one, or at the end.
type compressed struct {
	path    string
	codec   *codec
	file    *os.File
	out     io.Writer // the file; a test's disk can be full
	regular bool      // else it is a pipe or device
	offset  int64     // where the last whole record ends on the disk
	text    *textReader

	encoder memberEncoder
	made    bytes.Buffer
	member  int    // bytes of text in the member that the encoder makes; 0 where the next append begins one
	missing []byte // what ends the member on the disk; nil where it has its end
}

func (c *compressed) reader() io.Reader {
	c.text = newTextReader(c.codec, c.file)
	return c.text
}

// mend leaves whole members. Text of one that broke off goes into a new one, in a copy of the file: none of it is lost
// whenever the process dies.
func (c *compressed) mend(found ending, missing []byte) (replaced bool, err error) {
	info, err := c.file.Stat()
	if err != nil || !c.regular {
		return false, err
	}
	c.offset = info.Size()
	if c.text != nil && (c.text.torn || found.torn > 0) {
		whole := c.text.endBefore(found.offset)
		if whole.text < found.offset {
			return true, c.replace(whole, found.offset-whole.text, missing)
		}
		c.offset = whole.disk
		if err := c.file.Truncate(c.offset); err != nil {
			return false, err
		}
	}
	if len(missing) == 0 {
		return false, nil
	}
	_, err = c.append(encoded{data: missing})
	return false, errors.Join(err, c.finish())
}

// replace puts a copy of the file in its place that has its members up to whole, a member of so much of the text behind them,
// and what is missing.
func (c *compressed) replace(whole memberEnd, size int64, missing []byte) error {
	create := func() (*os.File, error) { return createAnew(rerunPath(c.path), 0o666) }
	err := replaceFile(c.path, create, func(w io.Writer) error {
		if _, err := io.Copy(w, io.NewSectionReader(c.file, 0, whole.disk)); err != nil {
			return err
		}
		rest := newTextReader(c.codec, io.NewSectionReader(c.file, whole.disk, c.offset-whole.disk))
		return c.codec.compressed(func(w io.Writer) error {
			if _, err := io.CopyN(w, rest, size); err != nil {
				return err
			}
			_, err := w.Write(missing)
			return err
		})(w)
	})
	if err != nil {
		return fmt.Errorf("mending the end of %s: %w", c.path, err)
	}
	return nil
}

func (c *compressed) append(records encoded) (kept int, err error) {
	if beyond, err := c.beyond(); err != nil || beyond != 0 {
		return 0, cmp.Or(err, c.changed(beyond))
	}
	if err := c.encode(records.data); err != nil {
		return 0, fmt.Errorf("compressing results: %w", err)
	}
	if err := c.write(c.made.Bytes()); err != nil {
		c.member = 0 // the encoder is ahead of the disk
		return 0, fmt.Errorf("writing results: %w", err)
	}
	c.missing = c.encoder.end()
	if c.member >= memberSize {
		c.member = 0
	}
	return len(records.ends), nil
}

// encode makes what is to be written next.
func (c *compressed) encode(text []byte) error {
	c.made.Reset()
	if c.made.Cap() > maxKeptBuffer {
		c.made = bytes.Buffer{}
	}
	if c.member == 0 {
		c.made.Write(c.missing)
		if err := c.encoder.begin(&c.made); err != nil {
			return err
		}
	}
	c.member += len(text)
	if _, err := c.encoder.Write(text); err != nil {
		return err
	}
	return c.encoder.Flush()
}

// write appends to the file, or leaves it as it was. Where it can't do either, the next append finds that out.
func (c *compressed) write(data []byte) error {
	n, err := c.out.Write(data)
	if err != nil {
		if beyond, statErr := c.beyond(); statErr == nil && beyond == int64(n) && n > 0 {
			_ = c.file.Truncate(c.offset)
		}
		return err
	}
	c.offset += int64(n)
	return nil
}

// beyond returns how many bytes the file has beyond those that were written: below 0 somebody has cut it.
func (c *compressed) beyond() (int64, error) {
	if !c.regular {
		return 0, nil
	}
	info, err := c.file.Stat()
	if err != nil {
		return 0, err
	}
	return info.Size() - c.offset, nil
}

// changed is the error of a file that has other bytes than were written: nothing may be written behind them.
func (c *compressed) changed(beyond int64) error {
	return fmt.Errorf("%s: it has %d bytes and not the %d that were written, since another program has changed it or the disk "+
		"was full: run the same again", c.path, c.offset+beyond, c.offset)
}

func (c *compressed) size() int64 { return c.offset }

// finish ends the last member. Compressed files aren't empty.
func (c *compressed) finish() error {
	end := c.missing
	if c.offset == 0 {
		end = []byte(c.codec.empty)
	}
	if end == nil {
		return nil
	}
	beyond, err := c.beyond()
	switch {
	case err != nil:
		return err
	case beyond > 0:
		return c.changed(beyond)
	case beyond < 0:
		return nil // the File tells
	}
	if err := c.write(end); err != nil {
		return fmt.Errorf("writing the end of results: %w", err)
	}
	c.missing, c.member = nil, 0
	return nil
}
