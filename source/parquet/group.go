package parquet

import (
	"cmp"
	"errors"
	"fmt"
	"io"

	"github.com/parquet-go/parquet-go"
)

// leaf reads the values of a leaf in a row group, a page at a time.
type leaf struct {
	read   func(parquet.Value) (any, error)
	nests  bool // a row may have any number of its values
	values parquet.ColumnChunkValueReader
	buf    []parquet.Value // its memory is the page's
	at, n  int             // what of buf is still to come
	cells  []cell          // of the row last read
}

// leafBuffer is how many values are taken from a page at a time.
const leafBuffer = 64

// maxRowValues is how many values a leaf of one row may have.
const maxRowValues = maxPageValues

var errMissing = errors.New("the file is damaged: values are missing")

// next reads the cells of the next row. bad is why one of its values can't be read; the cell has its bytes.
func (l *leaf) next() (bad, err error) {
	l.cells = l.cells[:0]
	for {
		if l.at == l.n {
			l.at = 0
			l.n, err = l.values.ReadValues(l.buf)
			if l.n == 0 {
				if err == io.EOF && len(l.cells) > 0 {
					return bad, nil
				}
				return bad, missing(err)
			}
		}
		v := l.buf[l.at]
		if len(l.cells) > 0 && v.RepetitionLevel() == 0 {
			return bad, nil
		}
		if len(l.cells) == maxRowValues {
			return bad, fmt.Errorf("it has more than %d values", maxRowValues)
		}
		c := cell{repeats: v.RepetitionLevel(), defined: v.DefinitionLevel()}
		if !v.IsNull() {
			var readErr error
			if c.value, readErr = l.read(v); readErr != nil {
				c.value = append([]byte{}, v.Bytes()...)
				bad = cmp.Or(bad, readErr)
			}
		}
		l.cells = append(l.cells, c)
		l.at++
		if !l.nests {
			return bad, nil
		}
	}
}

func missing(err error) error {
	if err == nil || err == io.EOF || errors.Is(err, io.ErrUnexpectedEOF) {
		return errMissing
	}
	return err
}

// group reads the rows of a row group.
type group struct {
	number int // from 1
	left   int64
	leaves []*leaf
}

// newGroup begins a row group. The caller closes it.
func newGroup(file *parquet.File, columns []*column, r io.ReaderAt, at int) (*group, error) {
	rows := file.RowGroups()[at]
	chunks := rows.ColumnChunks()
	for i := range chunks {
		if err := checkPages(r, &file.Metadata().RowGroups[at].Columns[i].MetaData); err != nil {
			return nil, fmt.Errorf("row group %d, column %q: the file is damaged: %w", at+1, columnAt(columns, i).Name, err)
		}
	}
	g := &group{number: at + 1, left: rows.NumRows()}
	for _, c := range columns {
		g.leaves = c.appendLeaves(g.leaves)
	}
	for i, chunk := range chunks {
		g.leaves[i].values = parquet.NewColumnChunkValueReader(chunk)
	}
	return g, nil
}

func (c *column) appendLeaves(leaves []*leaf) []*leaf {
	if c.shape == single {
		return append(leaves, &leaf{read: c.read, nests: c.level > 0, buf: make([]parquet.Value, leafBuffer)})
	}
	for _, child := range c.children {
		leaves = child.appendLeaves(leaves)
	}
	return leaves
}

// columnAt returns the column that a leaf belongs to.
func columnAt(columns []*column, leaf int) *column {
	for _, c := range columns {
		if leaf < c.first+c.leaves {
			return c
		}
	}
	return columns[len(columns)-1]
}

func (g *group) close() {
	for _, l := range g.leaves {
		_ = l.values.Close() // it gives memory back, and never fails
	}
}
