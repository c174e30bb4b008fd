package parquet_test

import (
	"bytes"
	"context"
	"io"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	pq "github.com/parquet-go/parquet-go"
	"github.com/stretchr/testify/require"

	"github.com/gluepipe/gluepipe/source/parquet"
	"github.com/gluepipe/gluepipe/stages/batch"
)

// pyarrowRows is what pyarrow wrote: values, nulls, and the ends of what there is.
const pyarrowRows = `{"text":"héllo","i8":-128,"u16":0,"i64":-9223372036854775808,"u64":0,"f32":0.1,"f64":0.1,"f16":0.5,"flag":true,"day":"2024-02-29","clock":"01:02:03.004","ts_ms":"2024-01-02T03:04:05.678Z","ts_us":"2024-01-02T03:04:05.678901Z","ts_ns":"2024-01-02T03:04:05.678901234Z","dec":12345678901234567890.12,"dec9":1.5,"raw":"AP8=","fixed":"YWJj","vec":[0.1,2],"tags":["a",null],"matrix":[[1,2],[],null,[3]],"obj":{"a":1,"b":{"c":["x","y"]}},"objs":[{"k":"x","v":[1]},{"k":null,"v":null}],"map":{"x":1,"y":null},"map_i":{"1":["a"]},"nothing":null,"cat":"red"}
{"text":null,"i8":null,"u16":null,"i64":null,"u64":null,"f32":null,"f64":null,"f16":null,"flag":null,"day":null,"clock":null,"ts_ms":null,"ts_us":null,"ts_ns":null,"dec":null,"dec9":null,"raw":null,"fixed":null,"vec":null,"tags":null,"matrix":null,"obj":null,"objs":null,"map":null,"map_i":null,"nothing":null,"cat":null}
{"text":"line\nbreak \"q\"","i8":127,"u16":65535,"i64":9223372036854775807,"u64":18446744073709551615,"f32":null,"f64":-1e+300,"f16":-2,"flag":false,"day":"1969-12-31","clock":"23:59:59","ts_ms":"1960-01-01T00:00:00Z","ts_us":"1960-01-01T00:00:00Z","ts_ns":"1969-12-31T23:59:59.999999999Z","dec":-0.05,"dec9":-0.5,"raw":"dGV4dA==","fixed":"eHl6","vec":[],"tags":[],"matrix":[],"obj":{"a":null,"b":null},"objs":[],"map":{},"map_i":{},"nothing":null,"cat":"red"}
`

const pyarrowTypes = "text int int int float float float float bool text text time time time float float bytes bytes vector " +
	"json json json json json json json text"

const duckdbRows = `{"text":"a","tiny":1,"ubig":18446744073709551615,"dec":1.25,"ts":"2024-01-02T03:04:05.678901Z","tstz":"2024-01-02T03:04:05Z","day":"2024-02-29","clock":"01:02:03","id":"6ba7b810-9dad-11d1-80b4-00c04fd430c8","doc":{"a":[1]},"list":[1,2],"obj":{"x":1,"y":"z"},"map":{"k":1.5},"blob":"/w==","mood":"happy","span":"P14M0DT0.000S","flag":true,"vec":[0.5,0.25]}
{"text":null,"tiny":null,"ubig":null,"dec":null,"ts":null,"tstz":null,"day":null,"clock":null,"id":null,"doc":null,"list":null,"obj":null,"map":null,"blob":null,"mood":null,"span":null,"flag":null,"vec":null}
`

const duckdbTypes = "text int float float time time text text text json json json json bytes text text bool vector"

func TestFilesOfOtherWritersAreReadWithAllTheirTypes(t *testing.T) {
	for _, c := range []struct{ file, types, rows string }{
		{"pyarrow_snappy", pyarrowTypes, pyarrowRows},
		{"pyarrow_v2_zstd", pyarrowTypes, pyarrowRows},
		{"pyarrow_lz4", pyarrowTypes, pyarrowRows},
		{"pyarrow_gzip_plain", pyarrowTypes, pyarrowRows},
		{"pyarrow_brotli_int96", pyarrowTypes, pyarrowRows},
		{"duckdb_snappy", duckdbTypes, duckdbRows},
		{"duckdb_v2_zstd", duckdbTypes, duckdbRows},
	} {
		t.Run(c.file, func(t *testing.T) {
			r := open(t, c.file)
			require.Equal(t, strings.Count(c.rows, "\n"), r.Len())
			types := make([]string, 0, len(r.Columns()))
			for _, column := range r.Columns() {
				types = append(types, column.Type.String())
			}
			require.Equal(t, c.types, strings.Join(types, " "))
			rows, err := readAll(t, r)
			require.NoError(t, err)
			require.Equal(t, c.rows, lines(t, rows))
		})
	}
}

func TestRowsOfSeveralGroupsAndPagesAreReadInOrderAndCountedThrough(t *testing.T) {
	for file, want := range map[string]int{"pyarrow_groups": 1000, "pyarrow_delta": 400} {
		r := open(t, file)
		require.Equal(t, want, r.Len())
		rows, err := readAll(t, r)
		require.NoError(t, err)
		require.Len(t, rows, want)
		for i, row := range rows {
			require.Equal(t, i+1, row.Number)
			require.Equal(t, "row", row.Unit)
			require.Equal(t, int64(i), row.Value("id"))
		}
		require.JSONEq(t, `{"id":399,"text":null,"tags":["t0","t1","t2"]}`, lines(t, rows[399:400]))
		require.JSONEq(t, `{"id":398,"text":"row 398","tags":["t0","t1"]}`, lines(t, rows[398:399]))
		_, err = r.Next(t.Context())
		require.Equal(t, io.EOF, err)
	}
}

func TestAVectorIsOneOfFloat32AndItsNullsAreNoNumbers(t *testing.T) {
	rows, err := readAll(t, open(t, "pyarrow_snappy"))
	require.NoError(t, err)
	require.Equal(t, []float32{0.1, 2}, rows[0].Value("vec"))
	require.Nil(t, rows[1].Value("vec"))
	require.Equal(t, []float32{}, rows[2].Value("vec"))
	require.True(t, math.IsNaN(rows[2].Value("f32").(float64)))
	require.Equal(t, time.Date(2024, 1, 2, 3, 4, 5, 678901234, time.UTC), rows[0].Value("ts_ns"))
}

func TestAFileCutAnywhereSaysThatItEndsEarly(t *testing.T) {
	whole, err := os.ReadFile("testdata/duckdb_v2_zstd.parquet")
	require.NoError(t, err)
	for cut := range whole {
		_, err := parquet.New(bytes.NewReader(whole[:cut]), int64(cut))
		want := "reading the Parquet file: the file ends early: it has no Parquet footer"
		if cut == 0 {
			want = "reading the Parquet file: the file is empty"
		}
		require.EqualError(t, err, want, "cut at %d", cut)
	}
}

func TestWhatIsNoParquetFileIsRefusedByItsPath(t *testing.T) {
	for content, want := range map[string]string{
		"":                                     "the file is empty",
		"PAR1":                                 "the file ends early: it has no Parquet footer",
		"id,text\n1,hello you":                 "it is no Parquet file: it doesn't begin with PAR1",
		"PAREabcdefghijklmPARE":                "it is encrypted: want a Parquet file that isn't",
		"PAR1\x00\x00\x00\xff\x00\x00\x00PAR1": "the footer is damaged: it claims 255 bytes of a file of 15",
		"PAR1\x19\xff\xff\xff\xff\x0f\x06\x00\x00\x00PAR1": "the footer is damaged",
	} {
		path := filepath.Join(t.TempDir(), "x.parquet")
		require.NoError(t, os.WriteFile(path, []byte(content), 0o600))
		_, err := parquet.Open(path)
		require.EqualError(t, err, "reading "+path+": "+want)
	}
	_, err := parquet.Open(filepath.Join(t.TempDir(), "none.parquet"))
	require.ErrorIs(t, err, os.ErrNotExist)
	_, err = parquet.Open(t.TempDir())
	require.ErrorContains(t, err, "want a file")
}

func TestAPageDamagedInTheMiddleEndsTheRunAndNamesItsRow(t *testing.T) {
	data, err := os.ReadFile("testdata/pyarrow_groups.parquet")
	require.NoError(t, err)
	file, err := pq.OpenFile(bytes.NewReader(data), int64(len(data)))
	require.NoError(t, err)
	text := file.Metadata().RowGroups[2].Columns[1].MetaData
	data[text.DataPageOffset+text.TotalCompressedSize-10] ^= 0xff // of its last page

	path := filepath.Join(t.TempDir(), "x.parquet")
	require.NoError(t, os.WriteFile(path, data, 0o600))
	r, err := parquet.Open(path)
	require.NoError(t, err)
	defer r.Close()
	rows, err := readAll(t, r)
	require.ErrorContains(t, err, "reading "+path+": row group 3, ")
	require.ErrorContains(t, err, `column "text"`)
	require.Greater(t, len(rows), 600, "the pages before it are read")
	require.Less(t, len(rows), 900)
	require.Equal(t, len(rows), rows[len(rows)-1].Number)
	_, again := r.Next(t.Context())
	require.Equal(t, err, again)
}

func TestAPageIsNotBelievedToBeOfAnySize(t *testing.T) {
	data, err := os.ReadFile("testdata/duckdb_snappy.parquet")
	require.NoError(t, err)
	// The header of the first page begins with its type and its size, which is a varint of a byte or two.
	require.Equal(t, byte(0x15), data[4])
	huge := append([]byte("PAR1"), 0x15, data[5], 0x15, 0xfe, 0xff, 0xff, 0xff, 0x0f) // two gigabytes
	copy(data, huge)
	r, err := parquet.New(bytes.NewReader(data), int64(len(data)))
	require.NoError(t, err)
	_, err = r.Next(t.Context())
	require.ErrorContains(t, err, `row group 1, column "text": the file is damaged: page 1: `)
}

func TestATextThatIsNotUTF8FailsItsRowAlone(t *testing.T) {
	type row struct {
		ID   int64  `parquet:"id"`
		Text string `parquet:"text"`
		Doc  string `parquet:"doc,json"`
	}
	r := written(t, []row{{1, "good", `{}`}, {2, "b\xffd", `{}`}, {3, "good", `{"a"`}, {4, "good", `[]`}})
	first, err := r.Next(t.Context())
	require.NoError(t, err)
	require.Equal(t, "good", first.Value("text"))
	_, err = r.Next(t.Context())
	bad := requireRowError(t, err)
	require.EqualError(t, bad, `row 2: column "text": not valid UTF-8`)
	require.Contains(t, string(bad.Raw), `"id":2`)
	_, err = r.Next(t.Context())
	require.EqualError(t, requireRowError(t, err), `row 3: column "doc": not valid JSON`)
	last, err := r.Next(t.Context())
	require.NoError(t, err)
	require.Equal(t, 4, last.Number)
	_, err = r.Next(t.Context())
	require.Equal(t, io.EOF, err)
}

func TestAnEndedContextIsNotTheEndOfTheFile(t *testing.T) {
	r := open(t, "duckdb_snappy")
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	_, err := r.Next(ended)
	require.ErrorIs(t, err, context.Canceled)
	_, err = r.Next(t.Context())
	require.NoError(t, err)
}

func TestAFileWithoutRowsHasColumns(t *testing.T) {
	r := written(t, []struct {
		A string
		B int64
	}{})
	require.Equal(t, []batch.Column{{Name: "A"}, {Name: "B", Type: batch.IntColumn}}, r.Columns())
	require.Zero(t, r.Len())
	_, err := r.Next(t.Context())
	require.Equal(t, io.EOF, err)
}
