package mcp

import (
	"context"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	sdk "github.com/modelcontextprotocol/go-sdk/mcp"
	"github.com/stretchr/testify/require"
)

// Some codes of errors are the SDK's words for the end of a connection, and any server's for whatever it likes.
func TestAnAnswerWithACodeThatTheSDKUsesItselfIsAnAnswer(t *testing.T) {
	for _, code := range []int{-32003, -32004, -32005} {
		s := connected(t, program(t, "raw", oneTool,
			fmt.Sprintf(`tools/call={"jsonrpc":"2.0","id":ID,"error":{"code":%d,"message":"not today"}}`, code)))
		session := running(t, s)
		_, err := call(t.Context(), pick(t, s, "t"), "{}")
		require.EqualError(t, err, fmt.Sprintf("the server %q: not today", s.hosts[0].config.Name))
		require.Same(t, session, running(t, s))
	}
}

// counted is a server over HTTP that counts the calls of its one tool and answers them by answer.
func counted(t *testing.T, fake *fakeHTTP, answer func(w http.ResponseWriter, r *http.Request, id string)) (Server, *atomic.Int64) {
	t.Helper()
	calls := &atomic.Int64{}
	fake.list = `{"tools":[{"name":"t","inputSchema":{"type":"object"}}]}`
	fake.call = func(w http.ResponseWriter, r *http.Request, id string) {
		calls.Add(1)
		answer(w, r, id)
	}
	return Server{Name: "web", URL: serve(t, fake).URL}, calls
}

func TestACallWhoseAnswerIsLostWithTheSessionIsNotMadeAgain(t *testing.T) {
	fake := &fakeHTTP{stream: func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Last-Event-ID") == "1" {
			http.Error(w, "Session not found", http.StatusNotFound)
			return
		}
		w.WriteHeader(http.StatusMethodNotAllowed)
	}}
	server, calls := counted(t, fake, func(w http.ResponseWriter, _ *http.Request, _ string) {
		w.Header().Set("Content-Type", "text/event-stream")
		fmt.Fprint(w, "id: 1\nretry: 1\n\n") // and the answer is to be had elsewhere
	})
	s := connected(t, server)
	_, err := call(t.Context(), pick(t, s, "t"), "{}")
	require.EqualError(t, err, `the server "web" ended during the call (it no longer knows the session); `+unknownEffect)
	require.EqualValues(t, 1, calls.Load())
}

func TestAnErrorOverHTTPThatSpeaksOfASessionIsAnAnswer(t *testing.T) {
	for _, status := range []int{http.StatusBadRequest, http.StatusNotFound, http.StatusInternalServerError} {
		server, calls := counted(t, &fakeHTTP{}, func(w http.ResponseWriter, _ *http.Request, id string) {
			w.Header().Set("Content-Type", "application/json")
			w.WriteHeader(status)
			fmt.Fprintf(w, `{"jsonrpc":"2.0","id":%s,"error":{"code":-32602,"message":"want a browser session"}}`, id)
		})
		s := connected(t, server)
		session := running(t, s)
		_, err := call(t.Context(), pick(t, s, "t"), "{}")
		require.EqualError(t, err, `the server "web": want a browser session`)
		require.EqualValues(t, 1, calls.Load())
		require.Same(t, session, running(t, s))
	}
}

func TestAStreamThatCannotGoOnForAWhileLeavesTheSessionAlone(t *testing.T) {
	var opened atomic.Int64
	again := make(chan struct{})
	fake := &fakeHTTP{stream: func(w http.ResponseWriter, r *http.Request) {
		switch opened.Add(1) {
		case 1:
			w.Header().Set("Content-Type", "text/event-stream")
			fmt.Fprint(w, "retry: 1\n\n")
		case 2:
			http.Error(w, "starting", http.StatusServiceUnavailable)
		case 3:
			close(again)
			w.Header().Set("Content-Type", "text/event-stream")
			w.(http.Flusher).Flush()
			<-r.Context().Done()
		}
	}}
	server, _ := counted(t, fake, func(w http.ResponseWriter, _ *http.Request, id string) { writeJSON(w, []byte(id), `{"content":[]}`) })
	s := connected(t, server)
	session := running(t, s)
	select {
	case <-again:
	case <-session.gone:
		t.Fatal("the session is over")
	}
	require.Same(t, session, running(t, s))
}

func init() {
	// It writes the number of each call to the file of its first argument, and dies after every third, without an answer.
	programs["worker"] = func() {
		server := newServer("worker")
		var done atomic.Int64
		add(server, sdk.Tool{Name: "work"}, func(_ context.Context, r *sdk.CallToolRequest) (*sdk.CallToolResult, error) {
			file, err := os.OpenFile(os.Args[1], os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
			if err != nil {
				return nil, err
			}
			fmt.Fprintf(file, "%s\n", r.Params.Arguments)
			if done.Add(1) == 3 {
				os.Exit(1)
			}
			return textResult("done"), file.Close()
		})
		_ = server.Run(context.Background(), &sdk.StdioTransport{})
	}
}

func TestNoCallIsRunTwiceByAServerThatDiesAfterItsWork(t *testing.T) {
	done := filepath.Join(t.TempDir(), "done")
	server := program(t, "worker", done)
	server.MaxRestarts = 100
	s := connected(t, server)
	work := pick(t, s, "work")
	const calls = 40
	errs := make([]error, calls)
	var running sync.WaitGroup
	for i := range calls {
		running.Go(func() { _, errs[i] = call(t.Context(), work, fmt.Sprintf(`{"n":%d}`, i)) })
	}
	running.Wait()
	data, err := os.ReadFile(done)
	require.NoError(t, err)
	times := make(map[string]int)
	for line := range strings.Lines(string(data)) {
		times[line]++
	}
	lost := 0
	for i, err := range errs {
		n := times[fmt.Sprintf("{\"n\":%d}\n", i)]
		if err == nil {
			require.Equal(t, 1, n)
			continue
		}
		require.ErrorContains(t, err, unknownEffect)
		require.LessOrEqual(t, n, 1)
		lost++
	}
	require.Positive(t, lost)
	require.Less(t, lost, calls)
}
