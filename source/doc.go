// Package source holds the light sources of requests: a slice, an iterator, a channel, JSON Lines, JSON arrays and OpenAI's
// batch files; and the readers of rows that [Rows] makes requests of: CSV, JSON Lines and arrays of any objects, lines of
// text, and files. Files may be compressed: see [Open]. Its sub-packages read Parquet and databases.
//
// Each source is a [batch.Source]: Next is called from one goroutine, and returns [io.EOF] after the last item, again and
// again. Once ctx has ended, Next takes nothing more and returns ctx's error. Close may be called more than once, before the
// end and while Next blocks. The engine of the pipeline calls both; a source closes only what it opened itself. Each reader
// of rows is a [RowReader], of which the same is true.
//
// A line, a record or an element that can't be read never ends a run: it is yielded as an item that has failed and says
// where. What ends a run is a reader that fails, or a text after which nothing can be told.
package source
