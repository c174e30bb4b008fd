package h1

import (
	"context"
	"errors"
	"net"
	"net/http"
	"time"
)

// Transport is an [http.RoundTripper]. Its fields must be set before its first use, and not be changed after. It is safe
// for concurrent use. [Transport.CloseIdleConnections] frees what it holds.
type Transport struct {
	Dial           func(ctx context.Context, network, address string) (net.Conn, error)
	MaxIdlePerHost int           // idle connections beyond it are closed
	IdleTimeout    time.Duration // after which an idle connection is closed
	MaxHeaderBytes int64         // of one answer, interim ones before it included

	pool pool
}

// RoundTrip sends a request that [Speaks] accepts, and returns the answer once its headers are there. It blocks until
// then, or until the request's context ends, which ends the reading of the answer's body, too. As with every RoundTripper,
// the body must be closed. One that is read to its end first leaves the connection for another call.
//
// A request is sent again, on another connection, only where a connection that had been idle took not one byte of it.
func (t *Transport) RoundTrip(req *http.Request) (*http.Response, error) {
	ctx := req.Context()
	address := dialAddress(req.URL)
	for {
		if ctx.Err() != nil {
			closeBody(req)
			return nil, context.Cause(ctx)
		}
		c := t.pool.get(address, t.IdleTimeout)
		if c == nil {
			var err error
			if c, err = t.dial(ctx, address); err != nil {
				closeBody(req)
				return nil, err
			}
		}
		resp, err := c.roundTrip(req)
		if err == nil || !errors.Is(err, errUnsent) {
			return resp, err
		}
		again := *req
		if again.Body, err = req.GetBody(); err != nil {
			return nil, err
		}
		req = &again
	}
}

func (t *Transport) dial(ctx context.Context, address string) (*conn, error) {
	n, err := t.Dial(ctx, "tcp", address)
	if err != nil {
		if ctx.Err() != nil {
			err = context.Cause(ctx)
		}
		return nil, err
	}
	return newConn(t, address, n), nil
}

// CloseIdleConnections closes the connections that no call uses.
func (t *Transport) CloseIdleConnections() { t.pool.close() }

func closeBody(req *http.Request) {
	if req.Body != nil {
		_ = req.Body.Close()
	}
}
