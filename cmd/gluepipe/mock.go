package main

import (
	"cmp"
	"context"
	"net"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/gluepipe/gluepipe/stages/llm/llmtest"
)

// mockPrefix stands before the keys of mock's settings, in gluepipe.yaml and the environment: both have an rpm.
const mockPrefix = "mock_"

type mockSettings struct {
	addr         string
	behaviour    string
	latency      time.Duration
	jitter       float64
	errorRate    float64
	truncateRate float64
	emptyRate    float64
	resetRate    float64
	hangRate     float64
	bodyReset    float64
	rpm          int
	burst        int
	window       time.Duration
	maxInFlight  int
	limitHeaders bool
	seed         int
}

func defaultMockSettings() *mockSettings {
	return &mockSettings{addr: "127.0.0.1:8080", behaviour: "echo", limitHeaders: true}
}

func (s *mockSettings) flags(flags *pflag.FlagSet) {
	text(flags, &s.addr, "addr", "HOST:PORT", "address to listen on; without HOST this machine alone; port 0 takes a free one")
	choice(flags, &s.behaviour, "behaviour", "for model names that say nothing themselves",
		"echo", "flaky", "fail", "length", "refuse")
	duration(flags, &s.latency, "latency", "before each answer")
	share(flags, &s.jitter, "jitter", "of the latency, by which an answer comes at most earlier or later")
	share(flags, &s.errorRate, "error-rate", "of the requests that get a 500 or 503")
	share(flags, &s.truncateRate, "truncate-rate", "of the answers that end in the middle of the body")
	share(flags, &s.emptyRate, "empty-rate", "of the answers that are empty")
	share(flags, &s.resetRate, "reset-rate", "of the requests whose connection is reset")
	share(flags, &s.hangRate, "hang-rate", "of the requests that are never answered")
	share(flags, &s.bodyReset, "body-reset-rate", "of the answers whose connection is reset in the middle of the body")
	count(flags, &s.rpm, "rpm", 0, "requests per minute for each key; above it they get a 429 (default no limit)")
	count(flags, &s.burst, "burst", 0, "how many of them may come at once (default rpm)")
	duration(flags, &s.window, "window", "count rpm in windows of this length instead, without a burst (default none)")
	count(flags, &s.maxInFlight, "max-in-flight", 0, "requests of each key at once; above it they get a 429 (default no limit)")
	toggle(flags, &s.limitHeaders, "limit-headers", "tell of rpm in headers, and in a 429 how long to wait")
	count(flags, &s.seed, "seed", 0, "of the faults, so that they can be had again")
}

func (a *app) mockCommand() *cobra.Command {
	s := defaultMockSettings()
	cmd := &cobra.Command{
		Use:   "mock",
		Short: "Serve an OpenAI-compatible API on this machine that answers by script",
		Long: `mock serves chat completions on this machine, to try out and to test without a network, a key or a bill.
It answers with the last user message, and calls tools where the message asks for one that it is offered.
It can be slow, break answers and limit rates. Ctrl-C ends it and prints what it saw.

Each flag --x-y is also the environment variable GLUEPIPE_MOCK_X_Y and the key mock_x_y of gluepipe.yaml.`,
		Example: `  # In one shell: a server that takes 200 ms and fails now and then.
  gluepipe mock --latency 200ms --jitter 0.5 --error-rate 0.05

  # In another: a run against it.
  gluepipe run requests.jsonl --model vllm:echo --base-url http://127.0.0.1:8080/v1 --retry-failed`,
		Args: noArguments,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if _, err := a.loadSettings(cmd.Flags(), mockPrefix, ""); err != nil {
				return err
			}
			return a.mock(cmd.Context(), s)
		},
	}
	s.flags(cmd.Flags())
	return cmd
}

// mock serves until ctx ends or a signal comes.
func (a *app) mock(ctx context.Context, s *mockSettings) error {
	if s.errorRate+s.truncateRate+s.emptyRate+s.resetRate+s.hangRate+s.bodyReset > 1 {
		return usagef("the rates of faults are more than 1 together")
	}
	switch {
	case s.rpm == 0 && s.burst > 0:
		return usagef("--burst needs --rpm")
	case s.rpm == 0 && s.window > 0:
		return usagef("--window needs --rpm")
	case s.burst > 0 && s.window > 0:
		return usagef("--burst and --window: want one of the two")
	}
	addr, err := addressOf(s.addr)
	if err != nil {
		return err
	}
	ctx, stop := untilSignal(ctx)
	defer stop()
	server, err := llmtest.Start(llmtest.Config{
		Addr: addr, Behaviour: s.behaviour, Latency: s.latency, Jitter: s.jitter,
		ErrorRate: s.errorRate, TruncateRate: s.truncateRate, EmptyRate: s.emptyRate, ResetRate: s.resetRate, HangRate: s.hangRate,
		BodyResetRate: s.bodyReset, RPM: s.rpm, Burst: s.burst, Window: s.window, MaxInFlight: s.maxInFlight,
		NoLimitHeaders: !s.limitHeaders, Seed: int64(s.seed),
	})
	if err != nil {
		return err
	}
	a.notef("listening on %s", server.BaseURL())
	if host, _, _ := net.SplitHostPort(addr); !isLoopback(host) {
		a.notef("warning: %s is not an address of this machine alone: whoever reaches it can use the server", host)
	}
	a.notef("try: gluepipe run requests.jsonl --model vllm:echo --base-url %s", server.BaseURL())
	a.notef("press Ctrl-C to stop")
	<-ctx.Done()
	err = server.Close()
	stats := server.Stats()
	a.notef("saw %s, at most %s in flight at once", plural(stats.Requests, "request"), commas(stats.MaxInFlight))
	return err
}

// addressOf completes an address: without a host it is this machine's alone, and a number alone is a port.
func addressOf(addr string) (string, error) {
	if !strings.Contains(addr, ":") {
		addr = ":" + addr
	}
	host, port, err := net.SplitHostPort(addr)
	if err != nil {
		return "", usagef("--addr: want HOST:PORT, got %q", addr)
	}
	return net.JoinHostPort(cmp.Or(host, "127.0.0.1"), port), nil
}

func isLoopback(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}

func noArguments(cmd *cobra.Command, args []string) error {
	if len(args) > 0 {
		return usagef("%s takes no arguments, got %q", cmd.Name(), args[0])
	}
	return nil
}
