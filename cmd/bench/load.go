package main

import (
	"fmt"
	"strconv"
	"time"
)

// load is what a contender is asked to do.
type load struct {
	url      string // of the server, up to /v1
	input    string // file of the requests
	output   string // file for the results
	requests int
	inFlight int
	latency  time.Duration // of the server, which is no merit or fault of the contender's
	program  string        // of the contenders that are programs
	marks    bool          // take the resident memory on the way
	profile  string        // file for a CPU profile of the contender
}

// args are the flags of a contender's process.
func (l *load) args() []string {
	return []string{
		"-url", l.url, "-input", l.input, "-output", l.output, "-n", strconv.Itoa(l.requests), "-c", strconv.Itoa(l.inFlight),
		"-latency", l.latency.String(), "-program", l.program, "-marks=" + strconv.FormatBool(l.marks),
		"-cpuprofile", l.profile,
	}
}

func parseLoad(args []string) (*load, error) {
	l := new(load)
	flags := newFlags("contender")
	flags.StringVar(&l.url, "url", "", "")
	flags.StringVar(&l.input, "input", "", "")
	flags.StringVar(&l.output, "output", "", "")
	flags.IntVar(&l.requests, "n", 0, "")
	flags.IntVar(&l.inFlight, "c", 0, "")
	flags.DurationVar(&l.latency, "latency", 0, "")
	flags.StringVar(&l.program, "program", "", "")
	flags.BoolVar(&l.marks, "marks", false, "")
	flags.StringVar(&l.profile, "cpuprofile", "", "")
	if err := parse(flags, args); err != nil {
		return nil, err
	}
	if l.url == "" || l.requests < 1 || l.inFlight < 1 {
		return nil, fmt.Errorf("a contender needs -url, -n and -c\n%s", usage)
	}
	return l, nil
}

// someSeconds is how many requests take a few seconds: without latency, and else by the latency.
func someSeconds(inFlight int, latency time.Duration) int {
	const most = 30_000
	if latency == 0 {
		return most
	}
	return max(min(inFlight*int(3*time.Second/latency), most), 3*inFlight)
}
