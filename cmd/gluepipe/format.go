package main

import (
	"bytes"
	"path/filepath"
	"regexp"
	"strings"

	"github.com/gluepipe/gluepipe/source"
)

// The formats of files, as --input-format and --output-format name them.
const (
	formatAuto    = "auto"
	formatJSONL   = "jsonl"        // requests a line, or any objects where there is a prompt for them; results a line
	formatBatch   = "openai-batch" // of the Batch API, and of vllm run-batch
	formatCSV     = "csv"
	formatTSV     = "tsv"
	formatJSON    = "json" // one array of requests or objects
	formatLines   = "lines"
	formatParquet = "parquet"
)

// suffixes are the names of files that say what is in them.
var suffixes = map[string]string{
	".csv": formatCSV, ".tsv": formatTSV, ".tab": formatTSV, ".parquet": formatParquet, ".pq": formatParquet,
	".txt": formatLines, ".jsonl": formatJSONL, ".ndjson": formatJSONL, ".json": formatJSONL,
}

// formatOfName tells the format by the name of a file, compressed or not; "" where that says nothing.
func formatOfName(path string) string {
	name := strings.ToLower(path)
	name = strings.TrimSuffix(strings.TrimSuffix(name, ".gz"), ".zst")
	return suffixes[filepath.Ext(name)]
}

// formatOfContent tells the format by what a text begins with. named is what its name tells; forRows says that there is a
// prompt to make requests with, so that what stands in the text are rows.
func formatOfContent(head []byte, named string, forRows bool) string {
	head = bytes.TrimSpace(bytes.TrimPrefix(head, []byte("\uFEFF")))
	line, _, _ := bytes.Cut(head, []byte{'\n'})
	switch {
	case bytes.HasPrefix(head, []byte("PAR1")):
		return formatParquet
	case bytes.HasPrefix(head, []byte{'{'}) && !forRows && source.IsBatchLine(line):
		return formatBatch
	case named != "" && named != formatJSONL && (!isTable(named) || !objects.Match(head)):
		return named
	case bytes.HasPrefix(head, []byte{'['}):
		return formatJSON
	case !bytes.HasPrefix(head, []byte{'{'}) && named == "" && forRows:
		return formatCSV
	}
	return formatJSONL
}

// objects is how JSON begins that is no header of a table.
var objects = regexp.MustCompile(`^(\[\s*)?\{\s*["}]`)

// isCompressed tells whether a file is to be compressed by its name.
func isCompressed(path string) bool {
	suffix := strings.ToLower(filepath.Ext(path))
	return suffix == ".gz" || suffix == ".zst"
}

// isTable tells whether results stand in columns there.
func isTable(format string) bool {
	return format == formatCSV || format == formatTSV || format == formatParquet || format == formatDatabase
}
