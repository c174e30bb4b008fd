package parquet

import (
	"errors"
	"fmt"
	"io"

	"github.com/klauspost/compress/snappy"
	"github.com/klauspost/compress/zstd"
	"github.com/parquet-go/parquet-go/encoding/thrift"
	"github.com/parquet-go/parquet-go/format"
	"github.com/pierrec/lz4/v4"
)

const (
	// maxPageBytes is the size of the largest page that is read. Writers make pages of a megabyte or so, and larger ones only
	// for larger values.
	maxPageBytes = 512 << 20
	// maxPageValues is how many values a page may have: a column of nulls is often one page a row group.
	maxPageValues = 16 << 20
	// Headers have a hundred bytes, or more where they hold long values as statistics.
	usualHeaderBytes = 4 << 10
	maxHeaderBytes   = 4 << 20
)

// checkPages reads the headers of a column's pages, and not the pages, before the library allocates what they say.
func checkPages(r io.ReaderAt, chunk *format.ColumnMetaData) error {
	start, length := chunkPlace(chunk)
	for page, end := 1, start+length; start < end; page++ {
		next, err := checkPage(r, chunk, start, end)
		if err != nil {
			return fmt.Errorf("page %d: %w", page, err)
		}
		start = next
	}
	return nil
}

// checkPage checks the page at start, and returns where the next one is.
func checkPage(r io.ReaderAt, chunk *format.ColumnMetaData, start, end int64) (next int64, err error) {
	header, n, err := readHeader(r, start, end)
	if err != nil {
		return 0, err
	}
	body, compressed, size := start+n, int64(header.CompressedPageSize), int64(header.UncompressedPageSize)
	if compressed < 0 || size < 0 || compressed > end-body {
		return 0, errThrift
	}
	if size > maxPageBytes || compressed > maxPageBytes {
		return 0, fmt.Errorf("it has %d bytes: want %d at most", max(size, compressed), maxPageBytes)
	}
	values := max(header.DataPageHeader.V.NumValues, header.DataPageHeaderV2.V.NumValues)
	if int64(values) > chunk.NumValues {
		return 0, fmt.Errorf("it has %d values of the %d of all pages", values, chunk.NumValues)
	}
	if values = max(values, header.DictionaryPageHeader.V.NumValues); values > maxPageValues {
		return 0, fmt.Errorf("it has %d values: want %d at most", values, maxPageValues)
	}
	codec := chunk.Codec
	if v2 := header.DataPageHeaderV2; v2.Valid {
		levels := int64(v2.V.RepetitionLevelsByteLength) + int64(v2.V.DefinitionLevelsByteLength)
		if levels < 0 || levels > compressed || levels > size {
			return 0, errThrift
		}
		if v2.V.IsCompressed.Valid && !v2.V.IsCompressed.V {
			codec = format.Uncompressed
		}
		return body + compressed, checkCompressed(io.NewSectionReader(r, body+levels, compressed-levels), codec, size-levels)
	}
	return body + compressed, checkCompressed(io.NewSectionReader(r, body, compressed), codec, size)
}

// readHeader returns the header of the page at start, and its length.
func readHeader(r io.ReaderAt, start, end int64) (*format.PageHeader, int64, error) {
	for size := int64(usualHeaderBytes); ; size = maxHeaderBytes {
		buf := make([]byte, min(size, end-start))
		if _, err := r.ReadAt(buf, start); err != nil && err != io.EOF {
			return nil, 0, err
		}
		n, err := thriftLen(buf)
		if err == errThriftEarly && int64(len(buf)) == usualHeaderBytes {
			continue
		}
		if err != nil {
			return nil, 0, err
		}
		header := &format.PageHeader{}
		var protocol thrift.CompactProtocol
		err = thrift.NewDecoder(protocol.NewReaderFromBytes(buf[:n])).Decode(header)
		return header, int64(n), err
	}
}

var errBadPage = errors.New("its compressed bytes are damaged")

// checkCompressed checks what the library believes of compressed bytes: the size that they begin with, and for LZ4, which
// has none, that they are whole: it tries ever larger buffers for those that aren't.
func checkCompressed(page *io.SectionReader, codec format.CompressionCodec, size int64) error {
	if page.Size() == 0 {
		return nil
	}
	switch codec {
	case format.Snappy:
		n, err := snappy.DecodedLen(beginning(page, 16))
		if err != nil || int64(n) != size {
			return errBadPage
		}
	case format.Zstd:
		var header zstd.Header
		if err := header.Decode(beginning(page, zstd.HeaderMaxSize)); err != nil {
			return errBadPage
		}
		if header.HasFCS && header.FrameContentSize > uint64(size) {
			return errBadPage
		}
	case format.Lz4Raw:
		n, err := lz4.UncompressBlock(beginning(page, page.Size()), make([]byte, size))
		if err != nil || int64(n) != size {
			return errBadPage
		}
	}
	return nil
}

// beginning returns up to n bytes, and what there are where they can't be read: that is found again.
func beginning(page *io.SectionReader, n int64) []byte {
	buf := make([]byte, min(n, page.Size()))
	read, _ := page.ReadAt(buf, 0)
	return buf[:read]
}
