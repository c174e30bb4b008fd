package mcp

import (
	"context"
	"encoding/base64"
	"errors"
	"net"
	"net/http"
	"net/url"
	"time"

	sdk "github.com/modelcontextprotocol/go-sdk/mcp"
	"go.uber.org/zap"
)

// spareConns is how many connections a session has open beside its calls': for the server's own messages and for
// cancellations.
const spareConns = 4

// httpTransport carries one session over streamable HTTP.
type httpTransport struct {
	sdk.StreamableClientTransport
	conns *http.Transport
	end   context.CancelFunc
}

// newHTTPTransport returns the transport of one session with the server at an address. Its kill is called once the session
// is closed: connections stay open until then.
func newHTTPTransport(s *Server, log *zap.Logger) (*httpTransport, error) {
	target, err := url.Parse(s.URL)
	if err != nil {
		return nil, errors.New("the URL is not valid") // the error would repeat it
	}
	header := make(http.Header)
	for name, values := range s.Header {
		header[http.CanonicalHeaderKey(name)] = values
	}
	if target.User != nil && header.Get("Authorization") == "" {
		password, _ := target.User.Password()
		pair := target.User.Username() + ":" + password
		header.Set("Authorization", "Basic "+base64.StdEncoding.EncodeToString([]byte(pair)))
	}
	target.User, target.Fragment = nil, ""
	ended, end := context.WithCancel(context.Background())
	conns := newConns(s.MaxConcurrent)
	return &httpTransport{
		StreamableClientTransport: sdk.StreamableClientTransport{
			// The SDK's errors and net/http's hold the address. The path and the query may be secrets: only the carrier has them.
			Endpoint: origin(target),
			HTTPClient: &http.Client{
				Transport: &carrier{
					sender: sender{target: target, header: header, conns: conns, patience: lostPatience},
					max:    s.MaxMessage, ended: ended, log: log,
				},
				CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
			},
			MaxEventSize: -1, // the carrier bounds events, without an end of the session
		},
		conns: conns,
		end:   end,
	}, nil
}

// kill ends what the session has under way and closes its connections.
func (t *httpTransport) kill() {
	t.end()
	t.conns.CloseIdleConnections()
}

// newConns has no bound on how long a server thinks before it answers: a call may take minutes, and has a context.
func newConns(calls int) *http.Transport {
	dialer := &net.Dialer{Timeout: 30 * time.Second, KeepAlive: 30 * time.Second}
	return &http.Transport{
		Proxy:                  http.ProxyFromEnvironment,
		DialContext:            dialer.DialContext,
		TLSHandshakeTimeout:    15 * time.Second,
		ForceAttemptHTTP2:      true,                       // a dialer of one's own switches it off otherwise
		MaxIdleConnsPerHost:    max(calls, 0) + spareConns, // net/http's default is 2: each call beyond would dial anew
		IdleConnTimeout:        4 * time.Second,            // Node's servers close after 5: a call sent just then would fail
		MaxResponseHeaderBytes: 1 << 20,
		// One HTTP/2 connection carries all calls: without pings a dead one goes unnoticed until they time out.
		HTTP2: &http.HTTP2Config{SendPingTimeout: 30 * time.Second, PingTimeout: 15 * time.Second},
	}
}

// origin is what may be shown of an address.
func origin(u *url.URL) string { return u.Scheme + "://" + u.Host }
