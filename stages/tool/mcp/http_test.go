package mcp

import (
	"context"
	"encoding/base64"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	sdk "github.com/modelcontextprotocol/go-sdk/mcp"
	"github.com/stretchr/testify/require"
)

func TestASessionOverHTTPCallsToolsWhateverWayTheServerAnswers(t *testing.T) {
	for name, options := range map[string]sdk.StreamableHTTPOptions{
		"events":         {},
		"JSON":           {JSONResponse: true},
		"stateless":      {Stateless: true},
		"stateless JSON": {Stateless: true, JSONResponse: true},
	} {
		t.Run(name, func(t *testing.T) {
			server := serve(t, sdkHandler(sdkServer(nil), options))
			session := mustDial(t, Server{URL: server.URL + "/mcp"})
			list, err := session.ListTools(t.Context(), nil)
			require.NoError(t, err)
			require.Len(t, list.Tools, 2)
			for range 3 {
				text, err := ask(t.Context(), session, "hello")
				require.NoError(t, err)
				require.Equal(t, "hello", text)
			}
		})
	}
}

func TestAnAnswerOf100MiBOverHTTPFailsOnlyItsCallAndIsNotReadToItsEnd(t *testing.T) {
	const size = 100 << 20
	for kind, before := range map[string]string{"application/json": "", "text/event-stream": "data: "} {
		t.Run(kind, func(t *testing.T) {
			var written atomic.Int64
			server := serve(t, &fakeHTTP{call: func(w http.ResponseWriter, _ *http.Request, id string) {
				w.Header().Set("Content-Type", kind)
				fmt.Fprint(w, before)
				for part := strings.Repeat(" ", 1<<20); written.Load() < size; {
					if _, err := io.WriteString(w, part); err != nil {
						return
					}
					written.Add(int64(len(part)))
				}
				fmt.Fprint(w, good(id)+"\n\n")
			}})
			session := mustDial(t, Server{URL: server.URL, MaxMessage: 2 << 20})
			_, err := ask(t.Context(), session, "t")
			require.ErrorContains(t, err, "the answer has more than the 2097152 bytes that are read")
			require.Less(t, written.Load(), int64(size/2))
			written.Store(size)
			text, err := ask(t.Context(), session, "t")
			require.NoError(t, err, "the session goes on")
			require.Equal(t, "good", text)
		})
	}
}

func TestWhateverAnHTTPServerAnswersOnlyThatCallFails(t *testing.T) {
	events := func(w http.ResponseWriter, text string) {
		w.Header().Set("Content-Type", "text/event-stream")
		fmt.Fprint(w, text)
	}
	page := func(w http.ResponseWriter, status int) {
		w.Header().Set("Content-Type", "text/html")
		w.WriteHeader(status)
		fmt.Fprint(w, "<html>Hello</html>")
	}
	for name, test := range map[string]struct {
		answer func(w http.ResponseWriter, id string)
		want   string
	}{
		"cut off": {func(w http.ResponseWriter, _ string) {
			w.Header().Set("Content-Type", "application/json")
			w.Header().Set("Content-Length", "100")
			fmt.Fprint(w, `{"jsonrpc":`)
		}, "the answer broke off after 11 bytes: unexpected EOF; whether the call took effect is not known"},
		"hung up": {func(w http.ResponseWriter, _ string) {
			panic(http.ErrAbortHandler)
		}, ": EOF; whether the call took effect is not known"},
		"too long": {func(w http.ResponseWriter, _ string) {
			w.Header().Set("Content-Type", "application/json")
			w.Header().Set("Content-Length", "5000")
			fmt.Fprint(w, strings.Repeat(" ", 5000))
		}, "the answer has 5000 bytes, more than the 1000 that are read"},
		"not JSON": {func(w http.ResponseWriter, _ string) {
			w.Header().Set("Content-Type", "application/json")
			fmt.Fprint(w, `hello`)
		}, "the answer is not a JSON-RPC message"},
		"to another call": {func(w http.ResponseWriter, _ string) {
			writeJSON(w, []byte("4711"), `{}`)
		}, "the answer is to another call"},
		"a page":           {func(w http.ResponseWriter, _ string) { page(w, http.StatusOK) }, `content of type "text/html"`},
		"an error page":    {func(w http.ResponseWriter, _ string) { page(w, http.StatusBadGateway) }, "HTTP 502 Bad Gateway"},
		"nothing":          {func(w http.ResponseWriter, _ string) { w.WriteHeader(http.StatusAccepted) }, "HTTP 202 Accepted"},
		"401":              {func(w http.ResponseWriter, _ string) { page(w, http.StatusUnauthorized) }, "wants a key or a token"},
		"a reason":         {func(w http.ResponseWriter, _ string) { http.Error(w, "no\n\x1b[1mway", http.StatusTeapot) }, "HTTP 418 I'm a teapot: no [1mway"},
		"no event":         {func(w http.ResponseWriter, _ string) { events(w, "") }, "terminated without response"},
		"a long event":     {func(w http.ResponseWriter, _ string) { events(w, "data: "+strings.Repeat("x", 5000)) }, "more than the 1000 bytes"},
		"half an event":    {func(w http.ResponseWriter, id string) { events(w, "data: "+good(id)[:20]) }, "terminated without response"},
		"a wild event":     {func(w http.ResponseWriter, _ string) { events(w, "data: x\nwhat\n\n") }, "terminated without response"},
		"another redirect": {func(w http.ResponseWriter, _ string) { w.WriteHeader(http.StatusFound) }, "HTTP 302 Found without an address"},
	} {
		t.Run(name, func(t *testing.T) {
			var mended atomic.Bool
			server := serve(t, &fakeHTTP{call: func(w http.ResponseWriter, _ *http.Request, id string) {
				if !mended.Load() {
					test.answer(w, id)
					return
				}
				events(w, "event: message\ndata: "+good(id)+"\n\n")
			}})
			session := mustDial(t, Server{URL: server.URL, MaxMessage: 1000})
			_, err := ask(t.Context(), session, "t")
			require.ErrorContains(t, err, test.want)
			mended.Store(true)
			text, err := ask(t.Context(), session, "t")
			require.NoError(t, err, "the session goes on")
			require.Equal(t, "good", text)
		})
	}
}

func TestEventsThatAreNoMessagesAreSkipped(t *testing.T) {
	server := serve(t, &fakeHTTP{call: func(w http.ResponseWriter, _ *http.Request, id string) {
		w.Header().Set("Content-Type", "text/event-stream")
		fmt.Fprintf(w, ": hello\n\ndata: not JSON\n\nno colon\n\nevent: weather\ndata: rain\n\nretry: soon\n\ndata:%s\r\n\r\n", good(id))
	}})
	text, err := ask(t.Context(), mustDial(t, Server{URL: server.URL}), "t")
	require.NoError(t, err)
	require.Equal(t, "good", text)
}

func TestASessionThatAnHTTPServerForgotIsReportedMissing(t *testing.T) {
	for name, answer := range map[string]http.HandlerFunc{
		"404":             func(w http.ResponseWriter, _ *http.Request) { http.Error(w, "no", 404) },
		"404 of JSON-RPC": func(w http.ResponseWriter, _ *http.Request) { forgotten(w, 404, "Session not found") },
		"400 of JSON-RPC": func(w http.ResponseWriter, _ *http.Request) {
			forgotten(w, 400, "Bad Request: No valid session ID provided")
		},
	} {
		t.Run(name, func(t *testing.T) {
			fake := &fakeHTTP{call: func(w http.ResponseWriter, r *http.Request, _ string) { answer(w, r) }}
			session := mustDial(t, Server{URL: serve(t, fake).URL})
			_, err := ask(t.Context(), session, "t")
			require.ErrorIs(t, err, sdk.ErrSessionMissing)
			require.ErrorIs(t, session.Wait(), sdk.ErrSessionMissing)
			require.Zero(t, fake.ends, "there is nothing to end")
		})
	}
}

func forgotten(w http.ResponseWriter, status int, message string) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	fmt.Fprintf(w, `{"jsonrpc":"2.0","id":1,"error":{"code":-32000,"message":%q}}`, message)
}

func TestCallsWaitForAnHTTPServerThatIsStartedAgain(t *testing.T) {
	handler := func() http.Handler { return sdkHandler(sdkServer(nil), sdk.StreamableHTTPOptions{Stateless: true}) }
	first := httptest.NewServer(handler())
	session, transport := opened(t, first.URL)
	_, err := ask(t.Context(), session, "hello")
	require.NoError(t, err)
	first.CloseClientConnections()
	first.Close()
	transport.conns.CloseIdleConnections() // which may not have noticed yet

	answers := make(chan string, 8)
	for range cap(answers) {
		go func() {
			text, err := ask(t.Context(), session, "hello")
			answers <- fmt.Sprint(text, err)
		}()
	}
	listener, err := net.Listen("tcp", strings.TrimPrefix(first.URL, "http://"))
	require.NoError(t, err)
	second := &http.Server{Handler: handler()}
	go second.Serve(listener)
	defer second.Close()
	for range cap(answers) {
		require.Equal(t, "hello<nil>", <-answers)
	}
}

func TestAnHTTPServerThatStaysAwayFailsCallsOneByOne(t *testing.T) {
	server := httptest.NewServer(sdkHandler(sdkServer(nil), sdk.StreamableHTTPOptions{}))
	session, transport := opened(t, server.URL)
	carrier := transport.HTTPClient.Transport.(*carrier)
	carrier.patience = 10 * time.Millisecond
	server.CloseClientConnections()
	server.Close()
	transport.conns.CloseIdleConnections()
	for range 3 {
		_, err := ask(t.Context(), session, "hello")
		require.ErrorContains(t, err, server.URL+": dial tcp")
		require.NotErrorIs(t, err, sdk.ErrConnectionClosed)
	}
	carrier.patience = time.Hour
	ctx, cancel := context.WithCancel(t.Context())
	time.AfterFunc(10*time.Millisecond, cancel)
	_, err := ask(ctx, session, "hello")
	require.ErrorIs(t, err, context.Canceled)
}

func TestHeadersAndCredentialsReachTheServerWithEveryRequest(t *testing.T) {
	fake := &fakeHTTP{call: func(w http.ResponseWriter, _ *http.Request, id string) {
		writeJSON(w, []byte(id), `{"content":[]}`)
	}}
	url := strings.Replace(serve(t, fake).URL, "http://", "http://user:secret@", 1)
	session := mustDial(t, Server{URL: url + "/mcp?key=secret", Header: http.Header{
		"x-api-key": {"secret"}, "accept": {"mine"}, "Mcp-Session-Id": {"mine"},
	}})
	_, err := ask(t.Context(), session, "t")
	require.NoError(t, err)
	require.NoError(t, session.Close())
	require.Equal(t, 1, fake.ends, "the server is told of the end")
	for _, header := range fake.seen {
		require.Equal(t, "secret", header.Get("X-Api-Key"))
		require.Equal(t, "Basic "+base64.StdEncoding.EncodeToString([]byte("user:secret")), header.Get("Authorization"))
	}
	last := fake.seen[len(fake.seen)-2]
	require.Equal(t, fakeSession, last.Get("Mcp-Session-Id"), "the protocol's headers win")
	require.Contains(t, last.Get("Accept"), "text/event-stream")
}

func TestAServerThatRefusesTheSessionSaysWhy(t *testing.T) {
	for status, want := range map[int]string{
		401: "HTTP 401 Unauthorized: the server wants a key or a token, or another one: give it in a header",
		403: "HTTP 403 Forbidden: the server doesn't allow this with the headers that it is given",
		404: "HTTP 404 Not Found: there is no MCP server (streamable HTTP) at this path of http://",
		405: "HTTP 405 Method Not Allowed: there is no MCP server (streamable HTTP) at this path of http://",
		500: "HTTP 500 Internal Server Error: out of order",
	} {
		server := serve(t, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { http.Error(w, "out of order", status) }))
		_, err := dial(t, Server{URL: server.URL + "/secret?key=secret"})
		require.ErrorContains(t, err, want)
		require.NotContains(t, err.Error(), "secret")
	}
}

func TestNoSecretOfAURLIsInTheErrorOfAConnection(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	address := listener.Addr().String()
	listener.Close()
	_, err = dial(t, Server{URL: "http://user:secret@" + address + "/secret?key=secret", Header: http.Header{"X": {"secret"}}})
	require.ErrorContains(t, err, "http://"+address+": dial tcp")
	require.NotContains(t, err.Error(), "secret")
	require.NotContains(t, err.Error(), unknownEffect)

	_, err = newHTTPTransport(&Server{URL: "http://user:secret@ho st/"}, nil)
	require.EqualError(t, err, "the URL is not valid")
}

func TestARedirectOnTheSameHostIsFollowed(t *testing.T) {
	mux := http.NewServeMux()
	mux.Handle("/mcp/", sdkHandler(sdkServer(nil), sdk.StreamableHTTPOptions{}))
	mux.HandleFunc("/mcp", func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, "mcp/", http.StatusTemporaryRedirect)
	})
	session := mustDial(t, Server{URL: serve(t, mux).URL + "/mcp"})
	text, err := ask(t.Context(), session, "hello")
	require.NoError(t, err)
	require.Equal(t, "hello", text)
}

func TestARedirectToAnotherHostGetsNothing(t *testing.T) {
	var reached atomic.Int64
	other := serve(t, http.HandlerFunc(func(http.ResponseWriter, *http.Request) { reached.Add(1) }))
	server := serve(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, other.URL+"/x?token=secret", http.StatusTemporaryRedirect)
	}))
	_, err := dial(t, Server{URL: server.URL, Header: http.Header{"X-Api-Key": {"secret"}}})
	require.ErrorContains(t, err, "it redirects to "+other.URL+", where nothing is sent")
	require.NotContains(t, err.Error(), "secret")
	require.Zero(t, reached.Load())
}

func TestARedirectThatGoesRoundEnds(t *testing.T) {
	server := serve(t, http.RedirectHandler("/", http.StatusPermanentRedirect))
	_, err := dial(t, Server{URL: server.URL})
	require.ErrorContains(t, err, "redirects more than 3 times")
}

func TestACertificateThatNobodyKnowsIsRefused(t *testing.T) {
	server := httptest.NewUnstartedServer(sdkHandler(sdkServer(nil), sdk.StreamableHTTPOptions{}))
	server.Config.ErrorLog = log.New(io.Discard, "", 0)
	server.StartTLS()
	defer server.Close()
	_, err := dial(t, Server{URL: server.URL})
	require.ErrorContains(t, err, server.URL+": tls: failed to verify certificate")
}

func TestACancelledCallReachesTheHTTPServer(t *testing.T) {
	for name, options := range map[string]sdk.StreamableHTTPOptions{"events": {}, "JSON": {JSONResponse: true}} {
		t.Run(name, func(t *testing.T) {
			waiting := make(chan struct{})
			options.PropagateRequestCancellation = true
			server := serve(t, sdkHandler(sdkServer(waiting), options))
			session := mustDial(t, Server{URL: server.URL})
			ctx, cancel := context.WithCancel(t.Context())
			done := make(chan error, 1)
			go func() {
				_, err := ask(ctx, session, "wait")
				done <- err
			}()
			<-waiting
			cancel()
			<-waiting
			require.ErrorIs(t, <-done, context.Canceled)
			_, err := ask(t.Context(), session, "hello")
			require.NoError(t, err, "the session goes on")
		})
	}
}

func TestManyCallsThatWaitForTheirHeadersShareTheirConnections(t *testing.T) {
	const calls = 32
	var opened atomic.Int64
	var arrived sync.WaitGroup
	fake := &fakeHTTP{call: func(w http.ResponseWriter, _ *http.Request, id string) {
		arrived.Done()
		arrived.Wait() // none is answered before all are there
		w.Header().Set("Content-Type", "text/event-stream")
		fmt.Fprintf(w, "data: %s\n\n", good(id))
	}}
	server := httptest.NewUnstartedServer(fake)
	server.Config.ConnState = func(_ net.Conn, state http.ConnState) {
		if state == http.StateNew {
			opened.Add(1)
		}
	}
	server.Start()
	defer server.Close()
	session := mustDial(t, Server{URL: server.URL, MaxConcurrent: calls})
	for range 5 {
		arrived.Add(calls)
		var done sync.WaitGroup
		for range calls {
			done.Go(func() {
				text, err := ask(t.Context(), session, "t")
				if err != nil || text != "good" {
					t.Errorf("got %q, %v", text, err)
				}
			})
		}
		done.Wait()
	}
	require.LessOrEqual(t, opened.Load(), int64(2*calls), "5 rounds need no connections of their own")
}

func TestAStreamThatEndsAgainAndAgainLeavesTheSessionAlone(t *testing.T) {
	var opened atomic.Int64
	marks := make(chan string, 100)
	fake := &fakeHTTP{
		call: func(w http.ResponseWriter, _ *http.Request, id string) { writeJSON(w, []byte(id), `{"content":[]}`) },
		stream: func(w http.ResponseWriter, r *http.Request) {
			opened.Add(1)
			select {
			case marks <- r.Header.Get("Last-Event-ID"):
			default:
			}
			w.Header().Set("Content-Type", "text/event-stream")
			fmt.Fprint(w, "retry: 1\n\n")
		},
	}
	session := mustDial(t, Server{URL: serve(t, fake).URL})
	require.Eventually(t, func() bool { return opened.Load() > 20 }, 30*time.Second, 5*time.Millisecond)
	_, err := ask(t.Context(), session, "t")
	require.NoError(t, err)
	for range 20 {
		require.Empty(t, <-marks, "ids of ours stay here")
	}
}

func TestKillEndsACallUnderWay(t *testing.T) {
	begun := make(chan struct{})
	server := serve(t, &fakeHTTP{call: func(_ http.ResponseWriter, r *http.Request, _ string) {
		close(begun)
		<-r.Context().Done()
	}})
	session, transport := opened(t, server.URL)
	go func() {
		<-begun
		transport.kill()
	}()
	_, err := ask(t.Context(), session, "t")
	require.ErrorContains(t, err, "context canceled")
}
