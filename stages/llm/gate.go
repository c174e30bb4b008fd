package llm

import (
	"crypto/tls"
	"net/http"
	"net/http/httptrace"
	"sync"
	"time"
)

const (
	// gateWidth is how many calls look for a connection to one host at once.
	gateWidth = 4
	// maxGateWait keeps a server that takes long to connect to from holding up calls for much longer than it does anyway.
	maxGateWait = time.Second
)

// gate lets few calls over TLS at a time look for a connection. Where HTTP/2 is spoken, one connection carries many calls;
// yet net/http opens another for each that comes before the first is there, and for each that finds its streams used up:
// thousands for a burst of a thousand calls. The zero value is ready.
type gate struct {
	mu    sync.Mutex
	lanes map[string]*lane // by host
}

// lane is the way to one host.
type lane struct {
	slots chan struct{}
	open  chan struct{} // closed where each call needs a connection of its own: HTTP/1.1 is spoken
	once  sync.Once
}

func (g *gate) lane(host string) *lane {
	g.mu.Lock()
	defer g.mu.Unlock()
	l := g.lanes[host]
	if l == nil {
		l = &lane{slots: make(chan struct{}, gateWidth), open: make(chan struct{})}
		if g.lanes == nil {
			g.lanes = map[string]*lane{}
		}
		g.lanes[host] = l
	}
	return l
}

// do sends a request through the gate.
func (g *gate) do(client *http.Client, req *http.Request) (*http.Response, error) {
	l := g.lane(req.URL.Host)
	if !l.enter(req) {
		return client.Do(req)
	}
	leave := sync.OnceFunc(func() { <-l.slots })
	defer leave()
	trace := &httptrace.ClientTrace{GotConn: func(info httptrace.GotConnInfo) {
		if c, ok := info.Conn.(*tls.Conn); !ok || c.ConnectionState().NegotiatedProtocol != "h2" {
			l.once.Do(func() { close(l.open) })
		}
		leave()
	}}
	return client.Do(req.WithContext(httptrace.WithClientTrace(req.Context(), trace)))
}

// enter waits for a slot, and says whether the call has one. It may go without.
func (l *lane) enter(req *http.Request) bool {
	select {
	case <-l.open:
		return false
	default:
	}
	select {
	case l.slots <- struct{}{}:
		return true
	default:
	}
	timer := time.NewTimer(maxGateWait)
	defer timer.Stop()
	select {
	case l.slots <- struct{}{}:
		return true
	case <-l.open:
	case <-req.Context().Done():
	case <-timer.C:
	}
	return false
}
