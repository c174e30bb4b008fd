package main

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"
	"go.yaml.in/yaml/v3"
)

// asProgram makes the test binary be the program, as the processes of servers and contenders are.
const asProgram = "GLUEPIPE_BENCH_TEST_AS_PROGRAM"

// asRedpanda makes it be a program that reads and writes as the configuration for Redpanda Connect says.
const asRedpanda = "BENCH_TEST_AS_REDPANDA"

func TestMain(m *testing.M) {
	if os.Getenv(asRedpanda) != "" && len(os.Args) > 2 && os.Args[1] == "run" {
		if err := copyAsConfigured(os.Args[2]); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	if os.Getenv(asProgram) != "" {
		main()
		os.Exit(0)
	}
	for name, value := range map[string]string{
		asProgram: "1",
		"GORACE":  os.Getenv("GORACE") + " atexit_sleep_ms=0", // else each process takes a second to end under the race detector
	} {
		if err := os.Setenv(name, value); err != nil {
			panic(err)
		}
	}
	goleak.VerifyTestMain(m)
}

// copyAsConfigured writes a line for each that it reads.
func copyAsConfigured(path string) error {
	text, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	var config struct {
		Input    struct{ File struct{ Paths []string } }
		Pipeline struct {
			Threads    int
			Processors []struct {
				Chat struct {
					Server string `yaml:"server_address"`
					Prompt string
				} `yaml:"openai_chat_completion"`
			}
		}
		Output struct{ File struct{ Path string } }
	}
	if err := yaml.Unmarshal(text, &config); err != nil {
		return err
	}
	chat := config.Pipeline.Processors[0].Chat
	if config.Pipeline.Threads != 4 || chat.Prompt != `${! json("user_message") }` || !strings.HasSuffix(chat.Server, "/v1") {
		return fmt.Errorf("not as expected: %+v", config)
	}
	lines, err := os.ReadFile(config.Input.File.Paths[0])
	if err != nil {
		return err
	}
	return os.WriteFile(config.Output.File.Path, lines, 0o600)
}

// runBench runs the program in this process.
func runBench(t *testing.T, args ...string) (stdout string, err error) {
	t.Helper()
	var out bytes.Buffer
	err = run(t.Context(), args, strings.NewReader(""), &out)
	return out.String(), err
}

func newTestBench(t *testing.T, o *options) *bench {
	t.Helper()
	b, err := newBench(o, new(bytes.Buffer))
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, b.close()) })
	return b
}

func TestEveryContenderRunsEndToEnd(t *testing.T) {
	b := newTestBench(t, new(options))
	for _, c := range contenders() {
		if c.name == redpandaConnect {
			continue
		}
		t.Run(strings.ReplaceAll(c.name, "/", " "), func(t *testing.T) {
			o, err := b.run(t.Context(), c.name, load{requests: 40, inFlight: 4})
			require.NoError(t, err)
			require.Equal(t, 40, o.Requests)
			calls := map[string]int{"tools": 80, "retries": 42}[c.name] // every 20th call fails
			require.Equal(t, max(calls, 40), o.Calls)
			require.Positive(t, o.Seconds)
			require.Positive(t, o.CPU)
			require.Positive(t, o.ServerCPU)
			require.Positive(t, o.PeakMiB)
			require.Positive(t, o.P50)
			require.GreaterOrEqual(t, o.P99, o.P50)
			if c.name != "cli" {
				require.Positive(t, o.Mallocs)
				require.Positive(t, o.Bytes)
			}
		})
	}
	left, err := filepath.Glob(filepath.Join(b.dir, "results*"))
	require.NoError(t, err)
	require.Empty(t, left)
}

func TestRedpandaConnectIsConfiguredForTheSameWork(t *testing.T) {
	self, err := os.Executable()
	require.NoError(t, err)
	t.Setenv(asRedpanda, "1")
	b := newTestBench(t, &options{redpanda: self, url: "http://127.0.0.1:1/v1"})
	o, err := b.run(t.Context(), redpandaConnect, load{requests: 30, inFlight: 4})
	require.NoError(t, err)
	require.Equal(t, 30, o.Requests)
	require.Zero(t, o.P50, "its results hold no times")
	_, err = b.run(t.Context(), redpandaConnect, load{requests: 30, inFlight: 5})
	require.ErrorContains(t, err, "not as expected", "what a program says is in the error")
}

func TestAContenderThatFailsSaysWhy(t *testing.T) {
	b := newTestBench(t, &options{url: "http://127.0.0.1:1/v1"})
	_, err := b.run(t.Context(), bare, load{requests: 4, inFlight: 2})
	require.ErrorContains(t, err, "go-openai, 2 in flight, latency 0s: ")
	require.ErrorContains(t, err, "127.0.0.1:1")
}

func TestTheAddedLatencyIsAboveTheServers(t *testing.T) {
	o := &outcome{Requests: 4, Calls: 8}
	o.setLatency([]float64{5000, 4100, 4200, 4300}, 2000*1000)
	require.InDelta(t, 300, o.P50, 0)
	require.InDelta(t, 1000, o.P99, 0)
}

func TestTheContendersAreThoseThatTheUsageNames(t *testing.T) {
	for _, c := range contenders() {
		require.Contains(t, usage, c.name)
	}
	names, reference := newTestBench(t, new(options)).chosen()
	require.Equal(t, bare, names[reference])
	require.NotContains(t, names, redpandaConnect, "it is measured where a program is given")
	names, _ = newTestBench(t, &options{only: []string{"file"}, redpanda: "rp"}).chosen()
	require.Equal(t, []string{bare, "file", redpandaConnect}, names)
}

func TestWrongUsageIsToldWithTheUsage(t *testing.T) {
	for _, args := range [][]string{
		{"nonsense"},
		{"-c", "0"},
		{"-c", "5001"},
		{"-latency", "soon"},
		{"-only", "curl"},
		{"-n", "-1"},
		{"table", "left", "over"},
		{"contender"},
		{"contender", "file"},
		{"serve", "-no-such-flag"},
		{"ideal", "-latency", "0s"},
		{"scale", "-latency", "0s"},
	} {
		_, err := runBench(t, args...)
		require.ErrorContains(t, err, "usage: bench", "%q", args)
	}
}
