package sink

import (
	"bufio"
	"encoding/binary"
	"hash/crc32"
	"io"

	"github.com/klauspost/compress/flate"
	"github.com/klauspost/compress/gzip"
)

const gzipHeader = "\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\xff" // without a name, of no time

var gzipCodec = codec{
	extension: ".gz",
	magic:     "\x1f\x8b",
	header:    gzipHeader,
	empty:     gzipHeader + "\x03\x00\x00\x00\x00\x00\x00\x00\x00\x00",
	encoder:   func() memberEncoder { return &gzipEncoder{} },
	decoder:   func(in *bufio.Reader) memberDecoder { return &gzipDecoder{in: in} },
}

// gzipEncoder writes the frame around the deflated text itself: a [gzip.Writer] can't end a member when the last of what it
// made was not written.
type gzipEncoder struct {
	deflate *flate.Writer
	crc     uint32
	size    uint32
}

func (e *gzipEncoder) begin(w io.Writer) (err error) {
	e.crc, e.size = 0, 0
	if e.deflate == nil {
		e.deflate, err = flate.NewWriter(w, flate.DefaultCompression)
	} else {
		e.deflate.Reset(w)
	}
	if err == nil {
		_, err = io.WriteString(w, gzipHeader)
	}
	return err
}

func (e *gzipEncoder) Write(text []byte) (int, error) {
	e.crc = crc32.Update(e.crc, crc32.IEEETable, text)
	e.size += uint32(len(text)) // modulo 2^32, as the format has it
	return e.deflate.Write(text)
}

func (e *gzipEncoder) Flush() error { return e.deflate.Flush() }

func (e *gzipEncoder) end() []byte {
	end := []byte{0x03, 0x00} // an empty last block
	end = binary.LittleEndian.AppendUint32(end, e.crc)
	return binary.LittleEndian.AppendUint32(end, e.size)
}

type gzipDecoder struct {
	in     *bufio.Reader // read byte by byte, and so no farther than the member
	member gzip.Reader
}

func (d *gzipDecoder) next() error {
	err := d.member.Reset(d.in)
	if err == io.EOF {
		return io.ErrUnexpectedEOF // within the header
	}
	d.member.Multistream(false)
	return err
}

func (d *gzipDecoder) Read(p []byte) (int, error) { return d.member.Read(p) }
