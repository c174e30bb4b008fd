package main

import (
	"net"
	"sync"
	"sync/atomic"
	"time"
)

// fixedServer answers every request with the same completion. It speaks just enough HTTP/1.1 for that, on connections of its
// own, so that a client spends most of what a call costs: net/http's server would take as much as the client does.
type fixedServer struct {
	listener net.Listener
	script   script

	open     sync.WaitGroup // accepting, and each connection
	requests atomic.Int64   // answered, on connections that have ended
	sequence atomic.Int64   // of requests, where some of them fail

	closing chan struct{} // closed when it closes

	mu     sync.Mutex
	conns  map[net.Conn]struct{} // nil: closed
	failed error                 // why it stopped accepting, unless by Close
}

// script says how a server answers.
type script struct {
	latency    time.Duration // from the arrival of a request to its answer
	tools      bool          // a request with tools is answered with a call of the first, until it has an answer of a tool
	failEvery  int           // each so manieth request fails; 0 is none
	failStatus int           // with this status
	retryAfter time.Duration // which names this time
}

// startFixed listens on a free port of loopback. Close the server when it is no longer needed.
func startFixed(s script) (*fixedServer, error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	server := &fixedServer{listener: listener, script: s, closing: make(chan struct{}), conns: make(map[net.Conn]struct{})}
	server.open.Go(server.accept)
	return server, nil
}

func (s *fixedServer) baseURL() string { return "http://" + s.listener.Addr().String() + "/v1" }

func (s *fixedServer) accept() {
	answers := newAnswers(&s.script)
	for {
		conn, err := s.listener.Accept()
		if err != nil {
			_ = s.listener.Close() // else clients would wait for good
			s.mu.Lock()
			s.failed = err
			s.mu.Unlock()
			return
		}
		if !s.begin(conn) {
			_ = conn.Close()
			return
		}
		s.open.Go(func() {
			defer s.end(conn)
			s.requests.Add(newExchange(conn, s, answers).run())
		})
	}
}

func (s *fixedServer) begin(conn net.Conn) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.conns == nil {
		return false
	}
	s.conns[conn] = struct{}{}
	return true
}

func (s *fixedServer) end(conn net.Conn) {
	_ = conn.Close()
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.conns, conn)
}

// close cuts all connections and waits until none is served any more. It must be called once.
func (s *fixedServer) close() error {
	close(s.closing)
	s.mu.Lock()
	err := s.failed
	if err == nil {
		err = s.listener.Close()
	}
	for conn := range s.conns {
		_ = conn.Close()
	}
	s.conns = nil
	s.mu.Unlock()
	s.open.Wait()
	return err
}

// fails reports whether it is the turn of this request to fail.
func (s *fixedServer) fails() bool {
	return s.script.failEvery > 0 && s.sequence.Add(1)%int64(s.script.failEvery) == 0
}
