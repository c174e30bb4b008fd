//go:build mcpservers

package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/gluepipe/gluepipe/stages/batch"
	"github.com/gluepipe/gluepipe/stages/llm/llmtest"
)

// npmServers are the official MCP servers of npm, which .ci/mcp installs, each with a mark of the test's own among its
// arguments, by which its process is found.
type npmServers struct {
	everything, files         string // commands, as a user gives them
	markEverything, markFiles string
}

func newNPMServers(t *testing.T, dir string) npmServers {
	t.Helper()
	home := os.Getenv("GLUEPIPE_MCP_SERVERS")
	require.NotEmpty(t, home, "GLUEPIPE_MCP_SERVERS: .ci/mcp installs the servers and sets it")
	s := npmServers{markEverything: filepath.Join(dir, "mark"), markFiles: filepath.Join(dir, "files")}
	s.everything = fmt.Sprintf("node '%s/server-everything/dist/index.js' stdio '%s'", home, s.markEverything)
	s.files = fmt.Sprintf("node '%s/server-filesystem/dist/index.js' '%s'", home, s.markFiles)
	return s
}

// npmRun is a batch whose requests have the model call the servers' tools, and the model.
type npmRun struct {
	servers npmServers
	dir     string
	input   strings.Builder
	wants   map[string][]string // by the id of a request, what its tools answer
	model   *llmtest.Server
	done    atomic.Int64 // requests whose tools have answered
	reached sync.Map     // of channels, each closed when so many are done
}

// newNPMRun makes a batch of count requests. Those at cut call a tool that takes an hour.
func newNPMRun(t *testing.T, count int, cut ...int) *npmRun {
	t.Helper()
	r := &npmRun{dir: inTempDir(t, nil), wants: map[string][]string{}}
	r.servers = newNPMServers(t, r.dir)
	for i := range count {
		if slices.Contains(cut, i) {
			r.write(t, fmt.Sprintf("long%d", i), "long", []string{"trigger-long-running-operation"}, []string{""})
		} else {
			r.add(t, i)
		}
	}
	require.NoError(t, os.WriteFile("in.jsonl", []byte(r.input.String()), 0o600))
	r.model = llmtest.New(t, llmtest.Config{Respond: r.respond})
	return r
}

// add writes the i-th request. The model makes the calls of most of them out of the message.
func (r *npmRun) add(t *testing.T, i int) {
	t.Helper()
	message, tools, want := "", []string(nil), []string(nil)
	switch i % 5 {
	case 0:
		message, tools = fmt.Sprintf("echo %d", i), []string{"echo"}
		want = []string{"Echo: " + message}
	case 1:
		message, tools = fmt.Sprintf("sum %d", i), []string{"get-sum"}
		want = []string{fmt.Sprintf("The sum of %d and 0.5 is %d.5.", i, i)}
	case 2:
		message, tools = filepath.Join(r.servers.markFiles, fmt.Sprintf("directory %d", i)), []string{"list_directory"}
		require.NoError(t, os.MkdirAll(filepath.Join(message, fmt.Sprintf("inner-%d", i)), 0o700))
		want = []string{fmt.Sprintf("[DIR] inner-%d", i)}
	case 3:
		message, tools = r.file(t, i), []string{"read_text_file"}
		want = []string{fmt.Sprintf("text %d\nö", i)}
	case 4: // both at once
		message, tools = r.file(t, i), []string{"echo", "read_text_file"}
		want = []string{"Echo: both", fmt.Sprintf("text %d\nö", i)}
	}
	r.write(t, fmt.Sprintf("r%d", i), message, tools, want)
}

func (r *npmRun) write(t *testing.T, id, message string, tools, want []string) {
	t.Helper()
	line, err := json.Marshal(map[string]any{"id": id, "user_message": message, "tools": tools})
	require.NoError(t, err)
	r.input.Write(append(line, '\n'))
	r.wants[id] = want
}

func (r *npmRun) file(t *testing.T, i int) string {
	t.Helper()
	path := filepath.Join(r.servers.markFiles, fmt.Sprintf("file-%d.txt", i))
	require.NoError(t, os.MkdirAll(r.servers.markFiles, 0o700))
	require.NoError(t, os.WriteFile(path, fmt.Appendf(nil, "text %d\nö", i), 0o600))
	return path
}

func (r *npmRun) respond(q *llmtest.Request) *llmtest.Answer {
	if len(q.ToolResults()) > 0 {
		if reached, ok := r.reached.Load(r.done.Add(1)); ok {
			close(reached.(chan struct{}))
		}
		return nil
	}
	prompt := q.Prompt()
	switch number, isSum := strings.CutPrefix(prompt, "sum "); {
	case isSum:
		return llmtest.Call("get-sum", fmt.Sprintf(`{"a": %s, "b": 0.5}`, number))
	case strings.HasPrefix(prompt, "long"):
		return llmtest.Call("trigger-long-running-operation", `{"duration": 3600, "steps": 1}`)
	case len(q.Tools) == 2:
		path, _ := json.Marshal(map[string]string{"path": prompt})
		return &llmtest.Answer{ToolCalls: []llmtest.ToolCall{
			{Name: "echo", Arguments: `{"message": "both"}`}, {Name: "read_text_file", Arguments: string(path)},
		}}
	}
	return nil
}

// after returns a channel that is closed when so many requests are done.
func (r *npmRun) after(done int64) <-chan struct{} {
	reached := make(chan struct{})
	r.reached.Store(done, reached)
	return reached
}

func (r *npmRun) args() []string {
	return at(r.model, "run", "in.jsonl", "-o", "out.jsonl", "-c", "64",
		"--mcp", r.servers.everything, "--mcp", r.servers.files)
}

// requireAnswers checks that each request has one result, which holds what its tools answered, and returns the errors of
// the calls that failed.
func (r *npmRun) requireAnswers(t *testing.T) (failures []string) {
	t.Helper()
	all := map[string]*batch.Result{}
	for _, result := range results(t, read(t, "out.jsonl")) {
		require.Nil(t, all[result.ID], "two results of %s", result.ID)
		all[result.ID] = result
	}
	require.Len(t, all, len(r.wants))
	for id, want := range r.wants {
		result := all[id]
		require.NotNil(t, result, "%s is lost", id)
		require.True(t, result.Success, "%s: %s", id, result.Error)
		var got []string
		for i, call := range result.ToolExecutionHistory {
			require.NotEmpty(t, call.Server, id)
			require.Equal(t, 1, call.Turn, id)
			got = append(got, call.Result)
			if call.Error {
				failures = append(failures, call.Result)
			} else {
				require.Equal(t, want[i], call.Result, id)
			}
		}
		require.Len(t, got, len(want), id)
		require.Equal(t, strings.Join(got, "; "), result.Response, id)
	}
	return failures
}

func TestMCPServersOfNPMAnswerAThousandRequestsAlthoughTheyAreKilled(t *testing.T) {
	const inFlightAtOnce = 16                       // calls of one server
	r := newNPMRun(t, 1000, 1, 2, 3, 350, 351, 352) // some wait for each end of the first server
	everything, files := r.servers.markEverything, r.servers.markFiles
	kills := []struct {
		mark string
		at   <-chan struct{}
	}{{everything, r.after(200)}, {files, r.after(400)}, {everything, r.after(600)}}
	cmd := program(t, r.args()...)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	require.NoError(t, cmd.Start())
	ended := waitFor(cmd)
	killed := 0
	for _, kill := range kills {
		select {
		case <-kill.at:
			killed = killProcessWith(t, kill.mark, killed)
		case <-ended:
			require.Fail(t, "the run ended too early", "%s", &stderr)
		}
	}
	<-ended

	require.Equal(t, exitOK, cmd.ProcessState.ExitCode(), "%s", &stderr)
	failures := r.requireAnswers(t)
	t.Logf("%d calls were in flight when their server was killed", len(failures))
	require.GreaterOrEqual(t, len(failures), 6)
	require.LessOrEqual(t, len(failures), len(kills)*inFlightAtOnce)
	for _, failure := range failures {
		require.Contains(t, failure, "ended during the call (signal: killed")
	}
	requireNoProcessWith(t, everything)
	requireNoProcessWith(t, files)
}

func TestMCPServersOfNPMEndWithAKilledRunWhichCanBeContinued(t *testing.T) {
	r := newNPMRun(t, 1000)
	everything, files := r.servers.markEverything, r.servers.markFiles
	reached := r.after(300)
	cmd := program(t, r.args()...)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	require.NoError(t, cmd.Start())
	ended := waitFor(cmd)
	select {
	case <-reached:
	case <-ended:
		require.Fail(t, "the run ended too early", "%s", &stderr)
	}
	require.Len(t, processesWith(t, everything), 1)
	require.Len(t, processesWith(t, files), 1)
	require.NoError(t, cmd.Process.Kill())
	<-ended
	requireNoProcessWith(t, everything)
	requireNoProcessWith(t, files)
	before := results(t, whole(read(t, "out.jsonl")))
	require.NotEmpty(t, before)

	got := program(t, r.args()...)
	output, err := got.CombinedOutput()
	require.NoError(t, err, "%s", output)
	require.Empty(t, r.requireAnswers(t))
	require.Equal(t, before, results(t, read(t, "out.jsonl"))[:len(before)], "what was there stays")
	requireNoProcessWith(t, everything)
	requireNoProcessWith(t, files)
}

// whole returns the lines of an output that are whole: the last may be torn.
func whole(text string) string { return text[:strings.LastIndexByte(text, '\n')+1] }

// killProcessWith waits for the process that has mark as an argument, unless it is the given one, and kills it. It returns
// its id.
func killProcessWith(t *testing.T, mark string, not int) (killed int) {
	t.Helper()
	require.Eventually(t, func() bool {
		ids := processesWith(t, mark)
		if len(ids) != 1 || ids[0] == not {
			return false
		}
		killed = ids[0]
		return syscall.Kill(killed, syscall.SIGKILL) == nil
	}, 20*time.Second, 5*time.Millisecond, "no process with the argument %s", mark)
	return killed
}
