// Package sink holds the light destinations of results: JSON Lines on a writer or in a file that a later run continues, one
// response document, a channel, and sinks made of sinks.
//
// Each is a [batch.Sink]: Write and Close are called from one goroutine. A sink closes only what it opened itself. The
// package knows no compression and no format but its own JSON.
package sink
