package main

import (
	"bytes"
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"

	sdk "github.com/modelcontextprotocol/go-sdk/mcp"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/gluepipe/gluepipe/stages/llm/llmtest"
)

var update = flag.Bool("update", false, "write the golden files")

// asProgram makes the test binary be the program, so that it can be run and killed as a process.
const asProgram = "GLUEPIPE_TEST_AS_PROGRAM"

func TestMain(m *testing.M) {
	if len(os.Args) > 2 && os.Args[1] == asHostile {
		os.Exit(hostile(os.Args[2:]))
	}
	if os.Getenv(asProgram) != "" {
		main()
	}
	if len(os.Args) == 2 && os.Args[1] == asServer {
		_ = weatherServer("weather").Run(context.Background(), &sdk.StdioTransport{})
		os.Exit(0)
	}
	// Who runs the tests with nohup, or in the background of a script, must not have the program they start ignore signals.
	for _, s := range []os.Signal{os.Interrupt, syscall.SIGTERM, syscall.SIGHUP} {
		if signal.Ignored(s) {
			signal.Notify(make(chan os.Signal, 1), s)
		}
	}
	goleak.VerifyTestMain(m)
}

// outcome is what a call of the program left.
type outcome struct {
	code           int
	stdout, stderr string
}

type env map[string]string

// gluepipe runs the program in this process, with an environment of its own.
func gluepipe(t *testing.T, stdin string, environment env, args ...string) outcome {
	t.Helper()
	var stdout, stderr bytes.Buffer
	lookup := func(name string) (string, bool) { value, ok := environment[name]; return value, ok }
	code := run(context.Background(), args, stdio{strings.NewReader(stdin), &stdout, &stderr}, lookup)
	return outcome{code, stdout.String(), stderr.String()}
}

// inTempDir moves the test into a directory with the given files.
func inTempDir(t *testing.T, files map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	t.Chdir(dir)
	for name, content := range files {
		require.NoError(t, os.WriteFile(filepath.Join(dir, name), []byte(content), 0o600))
	}
	return dir
}

func read(t *testing.T, path string) string {
	t.Helper()
	content, err := os.ReadFile(path)
	require.NoError(t, err)
	return string(content)
}

// at returns the flags for a run against server.
func at(server *llmtest.Server, args ...string) []string {
	return append(args, "--model", "vllm:echo", "--base-url", server.BaseURL(), "--progress", "none")
}

// requests returns n requests, one a line, with the prompts "prompt 1" and so on.
func requests(n int) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, "{\"id\": \"r%d\", \"user_message\": \"prompt %d\"}\n", i+1, i+1)
	}
	return b.String()
}

var volatile = []struct {
	pattern *regexp.Regexp
	text    string
}{
	{regexp.MustCompile(`127\.0\.0\.1:\d+`), "127.0.0.1:PORT"},
	{regexp.MustCompile(`\b\d+(\.\d+)?x\b`), "N.Nx"},
	{regexp.MustCompile(`\b(\d+m)?\d+(\.\d+)?(µs|ms|s)\b`), "TIME"},
	{regexp.MustCompile(`"(elapsed_time|wall_time|total_elapsed_time)":[0-9.e-]+`), `"$1":TIME`},
	{regexp.MustCompile(`v1:[0-9a-f]{32}`), "v1:HASH"},
}

// normal replaces what differs from run to run.
func normal(text string) string {
	for _, v := range volatile {
		text = v.pattern.ReplaceAllString(text, v.text)
	}
	return text
}

// requireGolden compares with a file in testdata of the directory the test began in.
func requireGolden(t *testing.T, path, got string) {
	t.Helper()
	if *update {
		require.NoError(t, os.MkdirAll(filepath.Dir(path), 0o755))
		require.NoError(t, os.WriteFile(path, []byte(got), 0o600))
	}
	require.Equal(t, read(t, path), got)
}

// golden returns the absolute path of a golden file, for tests that change their directory.
func golden(t *testing.T, name string) string {
	t.Helper()
	path, err := filepath.Abs(filepath.Join("testdata", name+".golden"))
	require.NoError(t, err)
	return path
}
