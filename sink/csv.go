package sink

import (
	"cmp"
	"fmt"
	"io"
	"unicode/utf8"

	"github.com/gluepipe/gluepipe/stages/batch"
)

// CSVOptions say what [OpenCSV] writes, and what it does with a file that exists.
type CSVOptions struct {
	FileOptions
	// Table is the layout of the rows; nil: that of a [Table] without options.
	Table *Table
	// Comma stands between two fields, '\t' for TSV; 0: ','.
	Comma rune
}

// OpenCSV opens or creates a file of results with comma-separated values at path, to append to it; see [File]. The caller
// closes it, usually by handing it to the engine.
//
// The first line has the names of the columns. Fields are quoted as of RFC 4180, where they must be: texts may hold newlines,
// and come out as they are. Rows end in "\n". A null is an empty field, an empty text is "", which Postgres tells apart and
// other readers take for the same. Times are as of RFC 3339, bytes in base64, truth values true and false, numbers as in
// JSON, and lists, objects and vectors are JSON.
//
// A file is continued where it has the same columns in the same order, else it is refused. When a run is killed, a last row
// that broke off is cut away by the next one, and its request done again. One that lacks only its newline is kept where its
// fingerprint tells that it is whole. A row whose quotes don't match, and rows of more than 64 MiB, are refused, since there
// is no telling where they end.
func OpenCSV(path string, options CSVOptions) (*File, error) {
	format, err := newCSVFormat(options.Table, options.Comma)
	if err != nil {
		return nil, err
	}
	return openFile(path, format, &options.FileOptions)
}

// CSV returns a sink that writes a row of comma-separated values for each result, as [OpenCSV] does, and one Write call of
// whole rows for each batch; the line with the names comes before the first, or at Close. A nil table is one without
// options, a comma of 0 is ','; it panics if comma can't stand between fields: a quote or the end of a line. It never closes
// w. Results are as safe as w makes them when its Write returns. Write blocks for as long as w does.
//
// A result that doesn't fit the table is an error; the rest of its batch is written.
func CSV(w io.Writer, table *Table, comma rune) batch.Sink {
	format, err := newCSVFormat(table, comma)
	if err != nil {
		panic("gluepipe: sink.CSV: " + err.Error())
	}
	return newStream(w, format)
}

// ReadCSVRecords reads a file of results that [OpenCSV] writes, whatever its table is, and changes nothing: a run may be
// writing it. It knows the columns by their names. A last row that has broken off, or is being written, doesn't count.
// Memory is 16 bytes a record. A comma of 0 is ','.
func ReadCSVRecords(path string, comma rune) (*Records, error) {
	comma, err := fieldSeparator(comma)
	if err != nil {
		return nil, err
	}
	return readRecords(path, &csvFormat{comma: string(comma)})
}

func fieldSeparator(comma rune) (rune, error) {
	comma = cmp.Or(comma, ',')
	if comma == '"' || comma == '\n' || comma == '\r' || comma == utf8.RuneError || !utf8.ValidRune(comma) {
		return 0, fmt.Errorf("%q can't stand between the fields of a table", comma)
	}
	return comma, nil
}

// maxCSVRow bounds the memory that a quote without its end can cost.
const maxCSVRow = 64 << 20

// csvFormat is the format of results as comma-separated values.
type csvFormat struct {
	comma string
	table *Table // nil: of any table, to be read only
	head  []byte

	// Of appendRecord, to be used again.
	values []any
	field  []byte
}

func newCSVFormat(table *Table, comma rune) (*csvFormat, error) {
	comma, err := fieldSeparator(comma)
	if err != nil {
		return nil, err
	}
	if table == nil {
		if table, err = NewTable(TableOptions{}); err != nil {
			return nil, err
		}
	}
	f := &csvFormat{comma: string(comma), table: table}
	for i, column := range table.columns {
		if i > 0 {
			f.head = append(f.head, f.comma...)
		}
		f.head = appendField(f.head, []byte(column.Name), f.comma)
	}
	f.head = append(f.head, '\n')
	return f, nil
}

func (f *csvFormat) header() []byte { return f.head }

func (f *csvFormat) appendRecord(dst []byte, r *batch.Result) ([]byte, error) {
	values, err := f.table.AppendValues(f.values[:0], r)
	f.values = values
	defer clear(f.values) // they are the result's
	if err != nil {
		return dst, err
	}
	out := dst
	for i, value := range values {
		if i > 0 {
			out = append(out, f.comma...)
		}
		if value == nil {
			continue
		}
		if f.field, err = appendCSVValue(f.field[:0], value); err != nil {
			return dst, fmt.Errorf("column %q: %w", f.table.columns[i].Name, err)
		}
		out = appendField(out, f.field, f.comma)
	}
	if cap(f.field) > maxKeptBuffer {
		f.field = nil
	}
	if len(out)-len(dst) >= maxCSVRow {
		return dst, fmt.Errorf("a row of %d MiB, the most is %d: write JSON Lines instead", (len(out)-len(dst))>>20, maxCSVRow>>20)
	}
	return append(out, '\n'), nil
}

func (f *csvFormat) records(path string, r io.Reader) recordReader { return newCSVReader(path, r, f) }
