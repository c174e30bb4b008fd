// Package tool makes tools for models from Go functions, runs the tool calls of a model's turn, and holds the built-in
// tools.
//
// [New] turns a typed function into a [batch.Tool]: the argument struct gives the JSON schema that the model sees and that
// its arguments are checked against. [FromSchema] does the same for a function that comes with a schema. The packages mcp,
// command and httptool beside this one make tools of MCP servers, programs and HTTP requests.
//
// [Run] executes what a model asks for, and [RunOptions] bound it. Whatever goes wrong there, from arguments that aren't JSON
// to a panic, becomes an answer that the model can read and act on:
//
//	error: arguments: at "/location": missing property
//	error: no location "Atlantis"
//	error: unknown tool "get_wether"; the tools are: calculate, get_weather
//	error: timed out after 1m0s
//	error: the tool panicked: index out of range [3] with length 3
//	error: refused: the tool "delete_file" may change something, and this run approves read-only tools alone. ...
//	error: cancelled
//
// An answer that is too long is cut, and ends with a line that says so:
//
//	[cut: the first 262144 of 104857600 bytes]
package tool
