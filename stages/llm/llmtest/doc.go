// Package llmtest is an OpenAI-compatible server of chat completions and embeddings for tests, demos and benchmarks. It
// is a real HTTP server on loopback, so that a client is tested with its connections, timeouts and broken bodies.
//
// Left alone it echoes: the answer is the last user message. When tools are offered it calls those that the message seems
// to ask for, and answers with their results once they are back (see [Config.Respond] for answers of your own).
//
//	srv := llmtest.New(t, llmtest.Config{Latency: 20 * time.Millisecond})
//	client := connect(srv.BaseURL())
//
// # Models
//
// Any model name echoes, but for these, which a request may name whatever the server's [Config] says:
//
//   - echo: the last user message
//   - flaky: the first request for each prompt gets a 503, the next ones echo
//   - fail: always a 500
//   - length: half of the last user message, with finish_reason "length"
//   - refuse: a refusal
//
// A name may carry parameters, as in "echo?latency=20ms&error_rate=0.1". They replace the server's own values for requests
// of that name: latency, jitter, error_rate, truncate_rate, empty_rate, reset_rate, hang_rate, body_reset_rate, rpm, burst,
// window, max_in_flight, no_limit_headers, whole_seconds, seed. See the fields of [Config] of the same names. [ParseModel]
// reads such a name into a Config.
//
// # Tools
//
// A function tool is called when a word of its name (of four letters or more, between "_" or "-") begins a word of the last
// user message; when its name is shorter and is a word of the message; when it has a required string "expression" and the
// message holds arithmetic, such as 123 * 456; or when it has a property "location" or "city" and the message says "in" and
// a capitalised name. Its arguments are made from its schema: the arithmetic, the place, else the whole message for strings,
// 1 for numbers, true for booleans, the first of an enum. Other optional properties are left out. tool_choice and
// parallel_tool_calls are obeyed.
//
// # Structured answers and embeddings
//
// A response_format of type json_schema is answered with JSON that follows the schema: texts are the last user message,
// which also decides the numbers, the booleans and the values of enums, and a list has one element. Of the rules on texts,
// only lengths and the common formats are kept. json_object is answered with {"answer": "the message"}.
//
// /v1/embeddings answers each text with a vector of length 1 that depends on the text alone: of "dimensions" numbers, 8
// by default, as a list or, for encoding_format "base64", as base64.
//
// # Faults
//
// Config's rates break a share of the answers. The n-th request's fate depends on Seed and n alone, so that the same number
// of requests meets the same faults, whatever their order. [Answer.Fault] and the ready-made answers ([RateLimited], [HTML],
// [NoChoices] and others) break chosen ones; [Burst429] refuses the first.
package llmtest
