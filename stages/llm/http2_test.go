package llm_test

import (
	"crypto/x509"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/gluepipe/gluepipe/stages/batch"
	"github.com/gluepipe/gluepipe/stages/llm"
)

// callOverTLS makes rounds of so many calls at once that the server has them all before it answers one, and returns how
// many connections that took.
func callOverTLS(t *testing.T, inFlight, rounds int, configure func(*httptest.Server)) int64 {
	t.Helper()
	var arrived, connections atomic.Int64
	all := make([]chan struct{}, rounds)
	for i := range all {
		all[i] = make(chan struct{})
	}
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		n := int(arrived.Add(1) - 1)
		if n%inFlight == inFlight-1 {
			close(all[n/inFlight])
		}
		<-all[n/inFlight]
		reply(200, goodBody)(w, r)
	}))
	configure(server)
	server.Config.ConnState = func(_ net.Conn, state http.ConnState) {
		if state == http.StateNew {
			connections.Add(1)
		}
	}
	server.StartTLS()
	defer server.Close()
	pool := x509.NewCertPool()
	pool.AddCert(server.Certificate())
	d := llm.NewHTTPClient(inFlight)
	d.Trust(pool)
	defer d.CloseIdleConnections()
	client := connect(t, llm.ClientConfig{BaseURL: server.URL, HTTPClient: d})
	for range rounds {
		var wg sync.WaitGroup
		for range inFlight {
			wg.Go(func() {
				if answer, err := client.Complete(t.Context(), ask("Hello")); err != nil || answer.Text != "Hi" {
					t.Errorf("got %v and %v", answer, err)
				}
			})
		}
		wg.Wait()
	}
	return connections.Load()
}

func TestHTTP2ServersOfAHundredStreamsGetAThousandCallsAtOnceOverFewConnections(t *testing.T) {
	const streams, inFlight = 100, 1000
	connections := callOverTLS(t, inFlight, 3, func(s *httptest.Server) {
		s.EnableHTTP2 = true
		s.Config.HTTP2 = &http.HTTP2Config{MaxConcurrentStreams: streams}
	})
	require.GreaterOrEqual(t, connections, int64(inFlight/streams))
	require.LessOrEqual(t, connections, int64(10*inFlight/streams), "net/http by itself opens more than one a call")
}

func TestHTTP1ServersOverTLSGetAllCallsAtOnce(t *testing.T) {
	const inFlight = 200
	connections := callOverTLS(t, inFlight, 3, func(*httptest.Server) {})
	require.GreaterOrEqual(t, connections, int64(inFlight))
	require.LessOrEqual(t, connections, int64(inFlight+inFlight/4), "they are used again")
}

func TestAServerThatLetsNobodyInHoldsUpNoCallBeyondItsTime(t *testing.T) {
	const calls = 20
	server := startHostile(t, (*hostileConn).gone)
	url := strings.Replace(server.url(), "http:", "https:", 1)
	client := connect(t, llm.ClientConfig{BaseURL: url})
	var wg sync.WaitGroup
	for range calls {
		wg.Go(func() {
			if _, err := llm.Timeout(client).Complete(t.Context(), askWithin(shortly)); !errors.Is(err, batch.ErrAPITimeout) {
				t.Errorf("got %v", err)
			}
		})
	}
	wg.Wait()
	server.stop(func() { _ = client.Close() })
}

func TestCallsTryToConnectEvenIfOthersBeforeThemDontGetThrough(t *testing.T) {
	const calls = 20
	var all sync.WaitGroup
	all.Add(calls)
	server := startHostile(t, func(*hostileConn) {
		all.Done()
		all.Wait() // closes the connections once each call has one
	})
	url := strings.Replace(server.url(), "http:", "https:", 1)
	client := connect(t, llm.ClientConfig{BaseURL: url})
	var wg sync.WaitGroup
	for range calls {
		wg.Go(func() {
			if _, err := client.Complete(t.Context(), ask("Hello")); !errors.Is(err, batch.ErrAPIConnection) {
				t.Errorf("got %v", err)
			}
		})
	}
	wg.Wait()
	server.stop(func() { _ = client.Close() })
}
