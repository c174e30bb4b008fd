package mcp

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptrace"
	"net/url"
	"sync/atomic"
	"time"
)

const (
	maxRedirects = 3
	// lostPatience is how long a server is waited for that was there before.
	lostPatience = 15 * time.Second
)

// A sender sends requests to the host of its target and to no other: headers and arguments are meant for that one.
type sender struct {
	target   *url.URL // with the query; the requests that come in have the origin alone
	header   http.Header
	conns    http.RoundTripper
	patience time.Duration
	reached  atomic.Bool  // the server has answered
	lost     atomic.Int64 // since when there is no connection to the server, in nanoseconds of 1970; 0: there is
}

// send sends a request to the target, and after it where the target says on its own host. It makes req what is sent.
func (s *sender) send(req *http.Request) (*http.Response, error) {
	for name, values := range s.header {
		if req.Header[name] == nil { // else it is the protocol's
			req.Header[name] = values
		}
	}
	req.Host = s.header.Get("Host")
	req.URL = s.target
	for range maxRedirects + 1 {
		resp, err := s.ask(req)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", origin(s.target), err)
		}
		switch resp.StatusCode {
		case http.StatusMovedPermanently, http.StatusFound, http.StatusTemporaryRedirect, http.StatusPermanentRedirect:
		default:
			return resp, nil
		}
		resp.Body.Close()
		next, err := resp.Location()
		switch {
		case err != nil:
			return nil, fmt.Errorf("HTTP %s without an address to go to", resp.Status)
		case next.Scheme != s.target.Scheme || next.Host != s.target.Host:
			return nil, fmt.Errorf("it redirects to %s, where nothing is sent: if that is right, give the URL there", origin(next))
		}
		req.URL = next
	}
	return nil, fmt.Errorf("%s redirects more than %d times", origin(s.target), maxRedirects)
}

// ask asks the server as soon as there is a connection. A server that has answered before may be starting again: calls wait
// for it, all of them together no longer than patience.
func (s *sender) ask(req *http.Request) (*http.Response, error) {
	const first, longest = 100 * time.Millisecond, time.Second
	for pause := first; ; pause = min(2*pause, longest) {
		resp, asked, err := s.askOnce(req)
		switch {
		case err == nil:
			s.reached.Store(true)
			s.lost.Store(0)
			return resp, nil
		case asked:
			return nil, fmt.Errorf("%w; %s", err, unknownEffect)
		case req.Method != http.MethodPost || !s.reached.Load() || s.lostFor() > s.patience:
			return nil, err
		}
		select {
		case <-time.After(pause):
		case <-req.Context().Done():
			return nil, context.Cause(req.Context())
		}
	}
}

// askOnce tells of a failure whether the server may have read the request.
func (s *sender) askOnce(req *http.Request) (resp *http.Response, asked bool, err error) {
	if req.GetBody != nil {
		if req.Body, err = req.GetBody(); err != nil {
			return nil, false, err
		}
	}
	var connected atomic.Bool
	ctx := httptrace.WithClientTrace(req.Context(), &httptrace.ClientTrace{
		GotConn: func(httptrace.GotConnInfo) { connected.Store(true) },
	})
	resp, err = s.conns.RoundTrip(req.WithContext(ctx))
	return resp, connected.Load(), err
}

// lostFor is how long there has been no connection, beginning now if that is new.
func (s *sender) lostFor() time.Duration {
	now := time.Now().UnixNano()
	if s.lost.CompareAndSwap(0, now) {
		return 0
	}
	if since := s.lost.Load(); since != 0 {
		return time.Duration(now - since)
	}
	return 0 // another call has just found the server
}
