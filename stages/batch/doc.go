// Package batch holds the nouns that flow through gluepipe and the contracts between its parts: a [Source] yields items,
// each with a [Request]; a [Stage] passes them on and fills in a [Result]; a [Sink] takes the results.
//
// It depends on the standard library alone, so that a source, stage or sink of your own costs nothing but this package.
//
// As JSON, names are snake_case and times are seconds as numbers; in Go, times are [time.Duration].
package batch
