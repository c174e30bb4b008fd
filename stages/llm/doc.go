// Package llm makes one model call: a [Completer] takes a [Call] and returns an [Answer] or an [*Error].
//
// [NewClient] makes a Completer for any server that speaks the OpenAI chat completions dialect; the table of [Providers]
// knows where they are. [OpenAI] makes one from a go-openai client. Middleware wraps a Completer and is one itself.
//
// A client sends what the call says, as it says it, and retries nothing. It classifies what went wrong: by status and code,
// never by a message's text. API keys never stand in errors.
package llm
