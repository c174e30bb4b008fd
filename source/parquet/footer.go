package parquet

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"

	"github.com/parquet-go/parquet-go"
	"github.com/parquet-go/parquet-go/encoding/thrift"
	"github.com/parquet-go/parquet-go/format"
)

const (
	magic = "PAR1"
	// maxFooterBytes is the size of the largest footer that is read: of a million column chunks or so.
	maxFooterBytes = 128 << 20
	// maxColumnDepth is how deep columns may nest.
	maxColumnDepth = 64
)

var errEndsEarly = errors.New("the file ends early: it has no Parquet footer")

// openFile reads the footer of a Parquet file, and believes nothing in it that the library would allocate memory for.
func openFile(r io.ReaderAt, size int64) (*parquet.File, error) {
	footer, err := readFooter(r, size)
	if err != nil {
		return nil, err
	}
	if n, err := thriftLen(footer); err != nil || n > len(footer) {
		return nil, errors.New("the footer is damaged")
	}
	var protocol thrift.CompactProtocol
	var metadata format.FileMetaData
	if err := thrift.NewDecoder(protocol.NewReaderFromBytes(footer)).Decode(&metadata); err != nil {
		return nil, fmt.Errorf("the footer is damaged: %w", err)
	}
	if err := checkMetadata(&metadata, size); err != nil {
		return nil, err
	}
	return parquet.OpenFile(r, size, parquet.SkipPageIndex(true), parquet.SkipBloomFilters(true),
		parquet.ReadBufferSize(64<<10))
}

// readFooter returns the footer, between its two ends.
func readFooter(r io.ReaderAt, size int64) ([]byte, error) {
	if size == 0 {
		return nil, errors.New("the file is empty")
	}
	head := make([]byte, min(size, int64(len(magic))))
	if _, err := r.ReadAt(head, 0); err != nil && err != io.EOF {
		return nil, err
	}
	switch {
	case string(head) == "PARE":
		return nil, errors.New("it is encrypted: want a Parquet file that isn't")
	case string(head) != magic[:len(head)]:
		return nil, errors.New("it is no Parquet file: it doesn't begin with PAR1")
	case size < 12:
		return nil, errEndsEarly
	}
	var tail [8]byte
	if _, err := r.ReadAt(tail[:], size-8); err != nil && err != io.EOF {
		return nil, err
	}
	if string(tail[4:]) != magic {
		return nil, errEndsEarly
	}
	length := int64(binary.LittleEndian.Uint32(tail[:4]))
	if length > size-12 {
		return nil, fmt.Errorf("the footer is damaged: it claims %d bytes of a file of %d", length, size)
	}
	if length > maxFooterBytes {
		return nil, fmt.Errorf("the footer is too large: %d bytes, want %d at most", length, maxFooterBytes)
	}
	footer := make([]byte, length)
	if _, err := r.ReadAt(footer, size-8-length); err != nil && err != io.EOF {
		return nil, err
	}
	return footer, nil
}

func checkMetadata(m *format.FileMetaData, size int64) error {
	if err := checkSchema(m.Schema); err != nil {
		return err
	}
	for i := range m.RowGroups {
		if err := checkGroup(m, i, size); err != nil {
			return fmt.Errorf("row group %d: %w", i+1, err)
		}
	}
	return nil
}

// checkSchema walks the tree of columns, which is written as a list.
func checkSchema(schema []format.SchemaElement) error {
	at := 0
	var walk func(depth int) error
	walk = func(depth int) error {
		if at >= len(schema) || depth > maxColumnDepth {
			return errors.New("the footer is damaged: its columns don't add up")
		}
		element := &schema[at]
		at++
		if element.Type.Valid {
			if n := element.TypeLength; n.Valid && (n.V < 0 || n.V > maxPageBytes) {
				return fmt.Errorf("column %q: values of %d bytes", element.Name, n.V)
			}
			return nil
		}
		if depth > 0 && element.NumChildren.V <= 0 {
			return fmt.Errorf("column %q is a group without columns", element.Name)
		}
		for range element.NumChildren.V {
			if err := walk(depth + 1); err != nil {
				return err
			}
		}
		return nil
	}
	if err := walk(0); err != nil {
		return err
	}
	if at == 1 {
		return errors.New("it has no columns")
	}
	return nil
}

func checkGroup(m *format.FileMetaData, i int, size int64) error {
	group := &m.RowGroups[i]
	if group.NumRows < 0 {
		return fmt.Errorf("the footer is damaged: %d rows", group.NumRows)
	}
	if len(group.Columns) != len(m.RowGroups[0].Columns) {
		return errors.New("the footer is damaged: row groups differ in their columns")
	}
	for j := range group.Columns {
		chunk := &group.Columns[j]
		if chunk.FilePath != "" {
			return fmt.Errorf("its values are in another file, %s: read that one", chunk.FilePath)
		}
		start, length := chunkPlace(&chunk.MetaData)
		if start < 0 || length < 0 || start > size || length > size-start {
			return fmt.Errorf("the file is damaged: column %d is beyond its end", j+1)
		}
		if chunk.MetaData.Codec != m.RowGroups[0].Columns[j].MetaData.Codec { // the library takes that of the first for all
			return fmt.Errorf("column %d is compressed by %s, and by %s in the first row group: want the same in all",
				j+1, chunk.MetaData.Codec, m.RowGroups[0].Columns[j].MetaData.Codec)
		}
	}
	return nil
}

// chunkPlace returns where the pages of a column are.
func chunkPlace(chunk *format.ColumnMetaData) (start, length int64) {
	start = chunk.DataPageOffset
	if chunk.DictionaryPageOffset != 0 {
		start = chunk.DictionaryPageOffset
	}
	return start, chunk.TotalCompressedSize
}
