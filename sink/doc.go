// Package sink holds the light destinations of results: files that a later run continues and writers, as JSON Lines, as the
// lines of OpenAI's Batch API or as CSV; one response document; a channel; and sinks made of sinks.
//
// Each is a [batch.Sink]: Write and Close are called from one goroutine. A sink closes only what it opened itself. Heavier
// formats and databases have packages of their own below this one.
//
// What a file's Write has written survives the death of the process, by kill -9 too. Its [SyncPolicy] says what survives a
// loss of power: by default all but the last second, with [SyncAlways] all for which Write returned nil.
package sink
