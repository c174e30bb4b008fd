package sink

import (
	"bufio"
	"io"
	"os"
	"path/filepath"
	"strings"
)

// codec is a way to compress text. Compressed text is made of members that stand one behind the other, each of which can be
// read by itself: members of gzip, frames of zstd.
type codec struct {
	extension string // of the names of files that are compressed by it
	magic     string // what they begin with
	header    string // what members that the encoder makes begin with
	empty     string // a member without text
	encoder   func() memberEncoder
	decoder   func(in *bufio.Reader) memberDecoder
}

// memberEncoder makes one member after the other.
type memberEncoder interface {
	// begin begins a member, which is written to w.
	begin(w io.Writer) error
	// Write adds text to the member.
	io.Writer
	// Flush writes what makes all text so far readable, also where the member breaks off then.
	Flush() error
	// end returns what ends the member, just behind what was flushed.
	end() []byte
}

// memberDecoder reads one member after the other.
type memberDecoder interface {
	// next begins the next member. There is at least a byte of it.
	next() error
	// Read reads its text, and then returns io.EOF. Where the member breaks off that is io.ErrUnexpectedEOF.
	io.Reader
}

var codecs = [...]*codec{&gzipCodec, &zstdCodec}

// codecOf returns how a file is compressed, or is to be: by its content, or where it has none yet by its name. nil is not
// at all.
func codecOf(path string, file *os.File) *codec {
	magic := make([]byte, 4)
	n, _ := file.ReadAt(magic, 0) // of a pipe there is nothing to read; a file that can't be read will tell again
	begun := string(magic[:n])
	for _, c := range codecs {
		if strings.HasPrefix(begun, c.magic) {
			return c
		}
	}
	if c := codecNamed(path); c != nil && strings.HasPrefix(c.magic, begun) { // a run may have died at its first byte
		return c
	}
	return nil
}

// codecNamed returns how a new file at path is to be compressed.
func codecNamed(path string) *codec {
	for _, c := range codecs {
		if strings.EqualFold(filepath.Ext(path), c.extension) {
			return c
		}
	}
	return nil
}

// compressed returns fill so that what it writes is compressed into one member.
func (c *codec) compressed(fill func(io.Writer) error) func(io.Writer) error {
	if c == nil {
		return fill
	}
	return func(w io.Writer) error {
		member := memberWriter{w: w, encoder: c.encoder()}
		if err := fill(&member); err != nil {
			return err
		}
		if !member.begun {
			_, err := io.WriteString(w, c.empty)
			return err
		}
		if err := member.encoder.Flush(); err != nil {
			return err
		}
		_, err := w.Write(member.encoder.end())
		return err
	}
}

// memberWriter begins a member with the first of its text.
type memberWriter struct {
	w       io.Writer
	encoder memberEncoder
	begun   bool
}

func (m *memberWriter) Write(text []byte) (int, error) {
	if len(text) == 0 {
		return 0, nil
	}
	if !m.begun {
		if err := m.encoder.begin(m.w); err != nil {
			return 0, err
		}
		m.begun = true
	}
	return m.encoder.Write(text)
}

// textOf returns the text of a file of results, decompressed where it is compressed. What broke off at its end is left
// out.
func textOf(path string, file *os.File) io.Reader {
	if c := codecOf(path, file); c != nil {
		return newTextReader(c, file)
	}
	return file
}
