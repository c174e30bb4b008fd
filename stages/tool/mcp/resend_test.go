package mcp

import (
	"fmt"
	"net/http"
	"sync/atomic"
	"testing"

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
