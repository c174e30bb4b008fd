// Package llm makes one model call: a [Completer] takes a [Call] and returns an [Answer] or an [*Error].
package llm
