// Package llm makes one model call: a [Completer] takes a [Call] and returns an [Answer] or an [*Error].
//
// [NewClient] makes a Completer for any server that speaks OpenAI's dialect of chat completions and embeddings; the table
// of [Providers] knows where they are. [OpenAI] makes one from a go-openai client.
//
// Middleware wraps a Completer and is one itself. The order matters, since a call's timeout begins when its waits are over.
// From the outside in:
//
//   - [Hedge] makes a slow call a second time
//   - [Park] makes a call again that met a rate limit or found no server, once its [Limiter] lets it
//   - [KeyPool] waits for a key whose Limiter lets the call start, and for a permit; with one key and no pool, [RateLimit]
//     and, inside it, [Permits.Limit] do the same
//   - [Timeout] bounds the call from then on
//
// A client sends what the call says, as it says it, and retries nothing. It classifies what went wrong: by status and code,
// never by a message's text. API keys never stand in errors.
package llm
