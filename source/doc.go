// Package source holds the light sources of requests: a slice, an iterator, a channel, and JSON Lines.
//
// Each is a [batch.Source]: Next is called from one goroutine, and returns [io.EOF] after the last item, again and again.
// Once ctx has ended, Next takes nothing more and returns ctx's error. Close may be called more than once, before the end
// and while Next blocks. The engine of the pipeline calls both; a source closes only what it opened itself.
package source
