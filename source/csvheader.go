package source

import (
	"bytes"
	"encoding/csv"
	"errors"
	"fmt"
	"io"

	"github.com/gluepipe/gluepipe/stages/batch"
)

// commas are what may stand between fields, what is taken first where several fit.
var commas = []rune{',', '\t', ';', '|'}

// readHeader reads the names of the columns and finds out what stands between fields.
func (c *csvReader) readHeader(comma rune) error {
	if err := c.text.skipBOM(); err != nil {
		return err
	}
	err := c.text.begin()
	switch {
	case err == io.EOF:
		return errors.New("the text is empty: want a header line with the names of the columns")
	case err != nil:
		return err
	case c.text.long:
		return c.text.tooLong()
	}
	candidates := commas
	if comma != 0 {
		candidates = []rune{comma}
	}
	if comma, err = c.detect(candidates); err != nil {
		return err
	}
	names, err := c.readNames(comma)
	if err != nil {
		return err
	}
	if rowErr := c.text.checkUTF8(); rowErr != nil {
		return rowErr
	}
	c.columns, err = headerColumns(names)
	c.text.skipRecord()
	return err
}

// detect returns what gives the header the most columns. Where nothing lets it be read, the error is that of the first.
func (c *csvReader) detect(commas []rune) (best rune, err error) {
	most := 0
	for _, comma := range commas {
		names, nameErr := c.readNames(comma)
		switch {
		case c.text.broken():
			return 0, c.text.failed
		case nameErr != nil && err == nil:
			err = nameErr
		case len(names) > most:
			best, most = comma, len(names)
		}
	}
	if most > 0 {
		err = nil
	}
	return best, err
}

// readNames reads the header with a parser that then reads the records.
func (c *csvReader) readNames(comma rune) ([]string, error) {
	c.text.rewind()
	c.parser = csv.NewReader(c.text)
	c.parser.Comma, c.parser.FieldsPerRecord, c.parser.ReuseRecord = comma, -1, true
	names, err := c.parser.Read()
	if err != nil {
		return nil, c.text.explain(err)
	}
	return names, nil
}

// headerColumns makes columns of names.
func headerColumns(names []string) ([]batch.Column, error) {
	columns := make([]batch.Column, len(names))
	first := make(map[string]int, len(names))
	for i, name := range names {
		if name == "" {
			return nil, fmt.Errorf("column %d has no name: give it one", i+1)
		}
		if earlier, ok := first[name]; ok {
			return nil, fmt.Errorf("columns %d and %d are both named %q: rename one", earlier, i+1, name)
		}
		first[name] = i + 1
		columns[i] = batch.Column{Name: name, Type: batch.TextColumn}
	}
	return columns, nil
}

// skipBOM skips a byte order mark of UTF-8, and refuses those of UTF-16.
func (t *csvText) skipBOM() error {
	for len(t.buf) < len(bom) && t.err == nil {
		t.fill()
	}
	if isUTF16(t.buf) {
		return errUTF16
	}
	if bytes.HasPrefix(t.buf, bom) {
		t.start = len(bom)
	}
	return nil
}

var errUTF16 = errors.New("the text is UTF-16: make it UTF-8 first")

// isUTF16 says whether a text begins with a byte order mark of UTF-16, of either order.
func isUTF16(text []byte) bool {
	return bytes.HasPrefix(text, []byte("\xff\xfe")) || bytes.HasPrefix(text, []byte("\xfe\xff"))
}
