// Package command makes tools of programs: what a program writes to its standard output is the answer to the model.
//
// The model's arguments are checked against a JSON schema, and reach the program as one JSON object on its standard input, or
// in single arguments by {{.field}}:
//
//	Command: []string{"git", "log", "--max-count={{.count}}", "--", "{{.path}}"}
//
// Strings are put there as they are, numbers as the model wrote them, anything else as JSON. A field that the model left out
// is empty, and an argument of which all fields are left out is left out itself: so write an option and its value in one
// argument, as above.
//
// No shell is between them: an argument stays one argument, whatever quotes, semicolons or newlines are in it. A value can't
// become an option either: an argument that begins with "-" although its template doesn't is refused, unless "--" stands
// before it or it is a number. What a program makes of a value is its own affair; don't hand the model's words to a program
// that runs them ("sh -c", "eval", "find -exec").
//
// A program gets a small environment, without the API keys of this process, and a process group of its own: it ends, with
// all that it has started, when the call's context ends or when it has ended itself. Should this process be killed, the
// kernel kills the program (on Linux), but not a child of it that ignores its standard input and output.
package command
