// Command gluepipe runs many LLM requests from a file; see 'gluepipe --help'.
package main

import (
	"context"
	"io"
	"log"
	"os"
	"os/signal"
	"syscall"
	_ "time/tzdata" // the tool "now" knows time zones on machines that have no database of them
)

func main() {
	// A reader that goes away makes writes fail. It must not kill the process, which still has a summary to print.
	signal.Ignore(syscall.SIGPIPE)
	// net/http complains to the standard logger about servers, in words of theirs.
	log.SetOutput(io.Discard)
	paceGC(os.LookupEnv)
	os.Exit(run(context.Background(), os.Args[1:], stdio{os.Stdin, os.Stdout, os.Stderr}, os.LookupEnv))
}
