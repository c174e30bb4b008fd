package llm

import (
	"net"
	"net/http"
	"time"
)

// defaultMaxConns is how many idle connections a client keeps if nobody says how many calls it makes at once.
const defaultMaxConns = 100

// NewTransport returns a transport for many calls at once to few hosts. It keeps up to maxConns idle connections a host: as
// many as there are calls in flight, else each call beyond opens a connection of its own; 0 or less means 100. Proxies come
// from the environment, and HTTP/2 is spoken where TLS offers it.
//
// It doesn't limit how long an answer takes: calls have their own timeout.
func NewTransport(maxConns int) *http.Transport {
	if maxConns <= 0 {
		maxConns = defaultMaxConns
	}
	dialer := &net.Dialer{Timeout: 30 * time.Second, KeepAlive: 30 * time.Second}
	return &http.Transport{
		Proxy:               http.ProxyFromEnvironment,
		DialContext:         dialer.DialContext,
		TLSHandshakeTimeout: 15 * time.Second,
		ForceAttemptHTTP2:   true, // a dialer of one's own switches it off otherwise
		MaxIdleConnsPerHost: maxConns,
		IdleConnTimeout:     90 * time.Second,
		// net/http's default is ten times as much, for each call in flight.
		MaxResponseHeaderBytes: 1 << 20,
		// One HTTP/2 connection carries all calls: without pings a dead one goes unnoticed until they time out.
		HTTP2: &http.HTTP2Config{SendPingTimeout: 30 * time.Second, PingTimeout: 15 * time.Second},
	}
}

// stayPut keeps a key and a prompt from following a redirect to another host.
func stayPut(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
