package llmtest

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
)

// Server is a running server. Its methods may be called by many goroutines at once.
type Server struct {
	own      *profile // how requests are answered whose model's name says nothing
	profiles sync.Map // the other profiles, by the model's name
	keys     map[string]bool
	record   *record
	ids      atomic.Uint64

	url    string
	http   *http.Server
	cancel context.CancelFunc // ends the requests' contexts
	wg     sync.WaitGroup     // the accepting goroutine and one for each connection
	failed error              // why accepting ended; set before wg is done
}

// Start starts a server. The caller closes it.
func Start(cfg Config) (*Server, error) {
	cfg = cfg.withDefaults()
	if err := cfg.validate(); err != nil {
		return nil, fmt.Errorf("starting a test server: %w", err)
	}
	listener, err := net.Listen("tcp", cfg.Addr)
	if err != nil {
		return nil, fmt.Errorf("starting a test server: %w", err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	s := &Server{own: newProfile(cfg), record: newRecord(), url: baseURL(listener.Addr()), cancel: cancel}
	if cfg.APIKeys != nil {
		s.keys = make(map[string]bool, len(cfg.APIKeys))
		for _, key := range cfg.APIKeys {
			s.keys[key] = true
		}
	}
	s.http = &http.Server{
		Handler:     http.HandlerFunc(s.serve),
		ConnState:   s.countConnection,
		BaseContext: func(net.Listener) context.Context { return ctx },
		ConnContext: func(ctx context.Context, conn net.Conn) context.Context {
			return context.WithValue(ctx, connKey{}, conn)
		},
		ErrorLog: log.New(io.Discard, "", 0),
	}
	s.wg.Go(func() {
		if err := s.http.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
			s.failed = err
		}
	})
	return s, nil
}

// TB is the part of *testing.T that [New] needs, so that a program which links this package doesn't link testing.
type TB interface {
	Helper()
	Cleanup(fn func())
	Fatalf(format string, args ...any)
}

// New starts a server that is closed when the test ends.
func New(t TB, cfg Config) *Server {
	t.Helper()
	s, err := Start(cfg)
	if err != nil {
		t.Fatalf("%v", err)
		return nil
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Fatalf("closing the test server: %v", err)
		}
	})
	return s
}

// BaseURL is what a client takes as its base URL, such as "http://127.0.0.1:40123/v1".
func (s *Server) BaseURL() string { return s.url }

// Close ends all requests and connections and waits for them, and so for a Respond that runs. It may be called again. Its
// error says that the server stopped accepting before.
func (s *Server) Close() error {
	s.cancel()
	_ = s.http.Close() // the listener's error; Serve returns one of its own if there is more to it
	s.wg.Wait()
	return s.failed
}

type connKey struct{}

// countConnection sees a connection's start before Serve can return, so that wg never rises from zero while Close waits.
func (s *Server) countConnection(_ net.Conn, state http.ConnState) {
	switch state {
	case http.StateNew:
		s.wg.Add(1)
	case http.StateClosed, http.StateHijacked:
		s.wg.Done()
	}
}

func baseURL(addr net.Addr) string {
	host, port, _ := net.SplitHostPort(addr.String())
	if ip := net.ParseIP(host); ip != nil && ip.IsUnspecified() { // not an address to connect to everywhere
		host = "127.0.0.1"
	}
	return "http://" + net.JoinHostPort(host, port) + "/v1"
}
