package llm

import (
	"net/http"

	"github.com/gluepipe/gluepipe/stages/llm/internal/h1"
)

// HTTPClient sends many calls at once to few hosts. It is what a [Client] uses if it is given nothing else, and goes
// wherever an *http.Client does whose Do alone is used. It is safe for concurrent use.
//
// Calls to a server at an http:// address without a proxy between, such as one of your own cluster, go through a transport
// of gluepipe's own, which does about half the work a call that net/http's does; what either sends and takes for an answer
// is the same. All others go through [NewTransport]'s. To have them all go there, give a Client &http.Client{Transport:
// NewTransport(n)} instead.
type HTTPClient struct {
	plain     *h1.Transport
	transport *http.Transport
	client    *http.Client
	gate      gate
}

// NewHTTPClient returns a client that keeps up to maxConns idle connections a host: as many as there are calls in flight,
// else each call beyond opens a connection of its own; 0 or less means 100. CloseIdleConnections frees them.
func NewHTTPClient(maxConns int) *HTTPClient {
	transport := NewTransport(maxConns)
	return &HTTPClient{
		plain: &h1.Transport{
			Dial:           transport.DialContext,
			MaxIdlePerHost: transport.MaxIdleConnsPerHost,
			IdleTimeout:    transport.IdleConnTimeout,
			MaxHeaderBytes: transport.MaxResponseHeaderBytes,
		},
		transport: transport,
		client:    &http.Client{Transport: transport, CheckRedirect: stayPut},
	}
}

// Do sends a request and returns its answer once the headers are there, a redirect as it is. It blocks until then, or until
// the request's context ends. The caller closes the answer's body. A body read to its end first leaves the connection for
// the next call.
func (c *HTTPClient) Do(req *http.Request) (*http.Response, error) {
	if h1.Speaks(req) && c.direct(req) {
		return c.plain.RoundTrip(req)
	}
	if req.URL != nil && req.URL.Scheme == "https" {
		return c.gate.do(c.client, req)
	}
	return c.client.Do(req)
}

// direct says that no proxy stands before the request's host.
func (c *HTTPClient) direct(req *http.Request) bool {
	proxy, err := c.transport.Proxy(req)
	return err == nil && proxy == nil
}

// CloseIdleConnections closes the connections that no call uses.
func (c *HTTPClient) CloseIdleConnections() {
	c.plain.CloseIdleConnections()
	c.transport.CloseIdleConnections()
}
