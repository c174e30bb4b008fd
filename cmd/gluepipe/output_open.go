package main

import (
	"cmp"
	"context"
	"fmt"
	"slices"

	"github.com/gluepipe/gluepipe/sink"
	"github.com/gluepipe/gluepipe/sink/parquet"
	sqlsink "github.com/gluepipe/gluepipe/sink/sqldb"
	"github.com/gluepipe/gluepipe/stages/batch"
)

// resultFile is where results are kept so that a run can be continued.
type resultFile interface {
	batch.Sink
	Path() string
	Done(id, fingerprint string) (bool, error)
	Earlier() batch.Summary
	Recovered() sink.Recovery
}

// outputFormatOf returns the format of one output of a run whose input is of another. path may be "".
func (s *settings) outputFormatOf(path, inputFormat string) string {
	switch named := formatOfName(path); {
	case s.outputFormat != formatAuto && path == s.output:
		return s.outputFormat
	case isDatabase(path):
		return formatDatabase
	case isTable(named):
		return named
	case inputFormat == formatBatch && named == "" || inputFormat == formatBatch && named == formatJSONL:
		return formatBatch
	}
	return formatJSONL
}

// wantsTable tells whether results go into columns, whatever the input is.
func (s *settings) wantsTable() bool {
	return isTable(s.outputFormatOf(s.output, "")) || s.errors != "" && isTable(s.outputFormatOf(s.errors, ""))
}

// keepsRaw tells whether the answers are wanted as they came.
func (s *settings) keepsRaw(inputFormat string) bool {
	return s.outputFormatOf(s.output, inputFormat) == formatBatch ||
		s.errors != "" && s.outputFormatOf(s.errors, inputFormat) == formatBatch
}

// openOutput opens the files of results.
func (a *app) openOutput(ctx context.Context, s *settings, in *input) (out *output, err error) {
	o := &output{meter: newMeter(), path: cmp.Or(s.output, standard)}
	if len(s.apiKeys) > 0 { // who keeps keys in a file has others on the machine to think of
		o.mode = 0o600
	}
	defer func() {
		if err != nil {
			o.close(ctx)
		}
	}()
	if s.wantsTable() {
		if o.table, err = s.tableOf(in); err != nil {
			return nil, err
		}
	}
	// The failures come first: where they can't be written, an output to be overwritten is left as it is.
	var bad batch.Sink
	if s.errors != "" {
		if bad, err = o.openFile(ctx, s.errors, s.outputFormatOf(s.errors, in.format), s); err != nil {
			return nil, err
		}
	}
	format := s.outputFormatOf(s.output, in.format)
	if o.path == standard {
		o.Sink, err = a.standardSink(format, s, o.table)
	} else {
		o.Sink, err = o.openFile(ctx, o.path, format, s)
	}
	if err != nil {
		return nil, err
	}
	if bad != nil {
		o.Sink = sink.Split(o.Sink, bad)
		slices.Reverse(o.files)
	}
	return o, nil
}

// tableOf returns the columns of results.
func (s *settings) tableOf(in *input) (*sink.Table, error) {
	options := sink.TableOptions{Row: in.columns, Embedding: s.embed != ""}
	if s.schema != nil && in.format != formatBatch { // whose bodies say themselves what form answers have
		var err error
		if options.Answer, err = sink.SchemaColumns(s.schema); err != nil {
			return nil, usagef("--schema: %w", err)
		}
	}
	return sink.NewTable(options)
}

// standardSink writes to standard output.
func (a *app) standardSink(format string, s *settings, table *sink.Table) (batch.Sink, error) {
	switch format {
	case formatCSV, formatTSV:
		return sink.CSV(a.records(a.out), table, s.comma(format)), nil
	case formatParquet:
		return nil, usagef("--output-format: Parquet needs a file: give -o FILE")
	case formatBatch:
		return sink.Batch(a.records(a.out)), nil
	}
	return sink.JSONL(a.records(a.out)), nil
}

// openFile opens one output that can be continued.
func (o *output) openFile(ctx context.Context, path, format string, s *settings) (batch.Sink, error) {
	if format == formatParquet && isCompressed(path) {
		return nil, usagef("%s: Parquet is compressed inside, and not as a file: want a name such as out.parquet", path)
	}
	options := sink.FileOptions{
		Overwrite: s.overwrite, RerunFailed: s.rerunFailed, Sync: syncPolicies[s.fsync], Mode: o.mode,
	}
	var file resultFile
	var err error
	switch format {
	case formatCSV, formatTSV:
		file, err = opened(sink.OpenCSV(path, sink.CSVOptions{FileOptions: options, Table: o.table, Comma: s.comma(format)}))
	case formatBatch:
		file, err = opened(sink.OpenBatch(path, options))
	case formatParquet:
		//nolint:contextcheck // what opening fails at is undone all the same
		file, err = opened(parquet.Open(path, parquet.Options{FileOptions: options, Table: o.table}))
	case formatDatabase:
		file, err = o.openTable(ctx, path, s)
	default:
		file, err = opened(sink.OpenJSONL(path, options))
	}
	if err != nil {
		return nil, err
	}
	o.files = append(o.files, file)
	return file, nil
}

// opened keeps a nil file from becoming a resultFile that is not nil.
func opened[F resultFile](file F, err error) (resultFile, error) {
	if err != nil {
		return nil, err
	}
	return file, nil
}

// openTable opens a table of a database.
func (o *output) openTable(ctx context.Context, address string, s *settings) (resultFile, error) {
	db, dialect, err := openDatabase(ctx, address)
	if err != nil {
		return nil, err
	}
	o.free = append(o.free, db.Close)
	table, err := sqlsink.Open(ctx, db, sqlsink.Options{
		Dialect: dialect, Name: s.table, Table: o.table, RerunFailed: s.rerunFailed, Overwrite: s.overwrite,
	})
	if err != nil {
		return nil, fmt.Errorf("%s: %w", databaseName(address), err)
	}
	return databaseTable{table, databaseName(address)}, nil
}

// databaseTable is a table that tells people its database, too.
type databaseTable struct {
	*sqlsink.Output
	database string
}

func (t databaseTable) Path() string { return t.database + ", table " + t.Output.Path() }
