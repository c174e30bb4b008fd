// Package sink holds the light destinations of results: JSON Lines on a writer or in a file that a later run continues, one
// response document, a channel, and sinks made of sinks.
//
// Each is a [batch.Sink]: Write and Close are called from one goroutine. A sink closes only what it opened itself. The
// package knows no compression and no format but its own JSON.
//
// What a file's Write has written survives the death of the process, by kill -9 too. Its [SyncPolicy] says what survives a
// loss of power: by default all but the last second, with [SyncAlways] all for which Write returned nil.
package sink
