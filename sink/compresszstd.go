package sink

import (
	"bufio"
	"errors"
	"io"

	"github.com/klauspost/compress/zstd"
)

const (
	zstdWindow    = 1 << 20   // as long as a member is as a rule
	zstdMaxWindow = 128 << 20 // that other programs may have used; the zstd program reads no more, too
)

var zstdCodec = codec{
	extension: ".zst",
	magic:     "\x28\xb5\x2f\xfd",
	header:    "\x28\xb5\x2f\xfd\x00\x50", // no checksum, the window
	empty:     "\x28\xb5\x2f\xfd\x20\x00\x01\x00\x00",
	encoder:   newZstdEncoder,
	decoder:   newZstdDecoder,
}

// zstdEncoder makes frames without a checksum, so that they can be ended behind any block.
type zstdEncoder struct{ *zstd.Encoder }

func newZstdEncoder() memberEncoder {
	encoder, err := zstd.NewWriter(nil, zstd.WithEncoderConcurrency(1), zstd.WithWindowSize(zstdWindow), zstd.WithEncoderCRC(false))
	if err != nil {
		panic("gluepipe: " + err.Error()) // these options are fine
	}
	return zstdEncoder{encoder}
}

func (e zstdEncoder) begin(w io.Writer) error {
	e.Reset(w)
	return nil
}

func (e zstdEncoder) end() []byte { return []byte{0x01, 0x00, 0x00} } // an empty last block

// zstdDecoder gives the decoder one frame at a time, since it would read on otherwise.
type zstdDecoder struct {
	in      *bufio.Reader
	decoder *zstd.Decoder
	left    int64 // bytes of the frame that are known to be there
	blocks  bool  // blocks follow
	sum     int64 // the length of the checksum behind them
}

func newZstdDecoder(in *bufio.Reader) memberDecoder {
	decoder, err := zstd.NewReader(nil, zstd.WithDecoderConcurrency(1), zstd.WithDecoderMaxWindow(zstdMaxWindow))
	if err != nil {
		panic("gluepipe: " + err.Error()) // these options are fine
	}
	return &zstdDecoder{in: in, decoder: decoder}
}

func (d *zstdDecoder) next() error {
	begun, err := d.in.Peek(zstd.HeaderMaxSize)
	if err != nil && err != io.EOF {
		return err
	}
	var header zstd.Header
	if err := header.Decode(begun); err != nil {
		return err
	}
	d.left, d.blocks, d.sum = int64(header.HeaderSize), !header.Skippable, 0
	if header.Skippable {
		d.left += int64(header.SkippableSize)
	}
	if header.HasCheckSum {
		d.sum = 4
	}
	return d.decoder.Reset((*zstdFrame)(d))
}

func (d *zstdDecoder) Read(p []byte) (int, error) { return d.decoder.Read(p) }

// zstdFrame reads the bytes of the frame.
type zstdFrame zstdDecoder

func (f *zstdFrame) Read(p []byte) (int, error) {
	if f.left == 0 {
		if !f.blocks {
			return 0, io.EOF
		}
		if err := f.nextBlock(); err != nil {
			return 0, err
		}
	}
	n, err := f.in.Read(p[:min(int64(len(p)), f.left)])
	f.left -= int64(n)
	return n, unexpected(err)
}

func (f *zstdFrame) nextBlock() error {
	header, err := f.in.Peek(3)
	if err != nil {
		return unexpected(err)
	}
	bits := int64(header[0]) | int64(header[1])<<8 | int64(header[2])<<16
	last, kind, size := bits&1 == 1, bits>>1&3, bits>>3
	if kind == 1 { // a byte that is repeated
		size = 1
	}
	f.left = 3 + size
	if last {
		f.blocks = false
		f.left += f.sum
	}
	return nil
}

// unexpected says that the input has more to come.
func unexpected(err error) error {
	if errors.Is(err, io.EOF) {
		return io.ErrUnexpectedEOF
	}
	return err
}
