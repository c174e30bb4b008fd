package main

import (
	"flag"
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"
)

const usage = `usage: bench [table|scale|ideal|memory|engine|limit|check] [flags]

  -c LIST                  calls in flight, 1 to 5000 (table: 64)
  -latency LIST            of each answer (table: 0s)
  -n N                     requests of a run (default as many as take some seconds)
  -rounds N                runs of each contender, in turn (default 5; scale and ideal 3)
  -only LIST               these contenders: ` + "net/http,go-openai,process,stream,file,cli,tools,retries" + `
  -url URL                 of another server, up to /v1, instead of the program's own
  -gluepipe PATH           of a program instead of one that is built now
  -redpanda-connect PATH   of a program with openai_chat_completion, measured beside the others
  -json FILE, -svg FILE    write the figures, or a chart of them, besides
  -cpuprofile FILE         write a CPU profile of the contender that ran last, in its last round
  -write                   check: keep the ratios of now for comparison, in cmd/bench/ratios.json

usage: bench serve [-latency D] [-tools] [-fail-every N] [-fail-status N] [-retry-after D]

  serves fixed answers on loopback, prints where, and ends with its standard input`

// options are what the flags say. Zero values are left to the commands, whose defaults differ.
type options struct {
	inFlight  []int
	latencies []time.Duration
	requests  int
	rounds    int
	only      []string
	url       string
	gluepipe  string
	redpanda  string
	json, svg string
	profile   string
	write     bool
}

func parseOptions(args []string) (*options, error) {
	o := new(options)
	flags := newFlags("bench")
	flags.Func("c", "", list(&o.inFlight, func(text string) (int, error) {
		n, err := strconv.Atoi(text)
		if err != nil || n < 1 || n > 5000 {
			return 0, fmt.Errorf("want 1 to 5000, got %q", text)
		}
		return n, nil
	}))
	flags.Func("latency", "", list(&o.latencies, func(text string) (time.Duration, error) {
		d, err := time.ParseDuration(strings.TrimSpace(text))
		if err != nil || d < 0 {
			return 0, fmt.Errorf("want a duration such as 0s or 200ms, got %q", text)
		}
		return d, nil
	}))
	flags.Func("only", "", list(&o.only, func(text string) (string, error) {
		_, err := findContender(text)
		return text, err
	}))
	flags.IntVar(&o.requests, "n", 0, "")
	flags.IntVar(&o.rounds, "rounds", 0, "")
	flags.StringVar(&o.url, "url", "", "")
	flags.StringVar(&o.gluepipe, "gluepipe", "", "")
	flags.StringVar(&o.redpanda, "redpanda-connect", "", "")
	flags.StringVar(&o.json, "json", "", "")
	flags.StringVar(&o.svg, "svg", "", "")
	flags.StringVar(&o.profile, "cpuprofile", "", "")
	flags.BoolVar(&o.write, "write", false, "")
	if err := parse(flags, args); err != nil {
		return nil, err
	}
	if o.requests < 0 || o.rounds < 0 {
		return nil, fmt.Errorf("-n and -rounds: want 1 or more\n%s", usage)
	}
	return o, nil
}

func serveOptions(args []string) (script, error) {
	var s script
	flags := newFlags("serve")
	flags.DurationVar(&s.latency, "latency", 0, "")
	flags.BoolVar(&s.tools, "tools", false, "")
	flags.IntVar(&s.failEvery, "fail-every", 0, "")
	flags.IntVar(&s.failStatus, "fail-status", 503, "")
	flags.DurationVar(&s.retryAfter, "retry-after", 20*time.Millisecond, "")
	return s, parse(flags, args)
}

// args are the flags that say the same.
func (s *script) args() []string {
	return []string{
		"-latency", s.latency.String(), "-tools=" + strconv.FormatBool(s.tools), "-fail-every", strconv.Itoa(s.failEvery),
		"-fail-status", strconv.Itoa(s.failStatus), "-retry-after", s.retryAfter.String(),
	}
}

func newFlags(name string) *flag.FlagSet {
	flags := flag.NewFlagSet(name, flag.ContinueOnError)
	flags.SetOutput(io.Discard)
	return flags
}

func parse(flags *flag.FlagSet, args []string) error {
	if err := flags.Parse(args); err != nil {
		return fmt.Errorf("%w\n%s", err, usage)
	}
	if flags.NArg() > 0 {
		return fmt.Errorf("unexpected %q\n%s", flags.Arg(0), usage)
	}
	return nil
}

// list reads values separated by commas.
func list[T any](to *[]T, read func(string) (T, error)) func(string) error {
	return func(text string) error {
		*to = nil
		for word := range strings.SplitSeq(text, ",") {
			value, err := read(word)
			if err != nil {
				return err
			}
			*to = append(*to, value)
		}
		return nil
	}
}
