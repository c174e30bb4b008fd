package llm

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/gluepipe/gluepipe/stages/batch"
)

func TestUnreachableIsAFailureToConnectAndNothingElse(t *testing.T) {
	dial := func(err error) error {
		return fmt.Errorf("POST http://x: %w", &url.Error{Op: "Post", URL: "http://x", Err: &net.OpError{Op: "dial", Net: "tcp", Err: err}})
	}
	for name, test := range map[string]struct {
		err  error
		want bool
	}{
		"refused":                  {dial(os.NewSyscallError("connect", syscall.ECONNREFUSED)), true},
		"no route":                 {dial(os.NewSyscallError("connect", syscall.EHOSTUNREACH)), true},
		"the dialer's own limit":   {dial(os.ErrDeadlineExceeded), true},
		"unknown name":             {&net.DNSError{Err: "no such host", Name: "x"}, true},
		"proxy refused":            {&net.OpError{Op: "proxyconnect", Err: dial(syscall.ECONNREFUSED)}, true},
		"classified":               {&Error{Kind: batch.ErrAPIConnection, Err: dial(syscall.ECONNREFUSED)}, true},
		"nothing":                  {nil, false},
		"cancelled":                {context.Canceled, false},
		"cancelled while dialling": {dial(context.Canceled), false},
		"timeout of the call":      {&url.Error{Op: "Post", Err: context.DeadlineExceeded}, false},
		"certificate":              {&url.Error{Op: "Post", Err: x509.UnknownAuthorityError{}}, false},
		"certificate of the proxy": {&net.OpError{Op: "proxyconnect", Err: x509.HostnameError{Certificate: &x509.Certificate{}}}, false},
		"reset":                    {&net.OpError{Op: "read", Err: syscall.ECONNRESET}, false},
		"broken pipe":              {&net.OpError{Op: "write", Err: syscall.EPIPE}, false},
		"cut off":                  {io.ErrUnexpectedEOF, false},
		"an answer":                {&Error{Kind: batch.ErrServer, Status: 503, Err: errors.New("503")}, false},
	} {
		require.Equal(t, test.want, unreachable(test.err), name)
	}
}

func TestUnreachableServersAreToldFromThoseThatBreakLater(t *testing.T) {
	closed := httptest.NewServer(http.NotFoundHandler())
	closed.Close()
	reset := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		panic(http.ErrAbortHandler)
	}))
	defer reset.Close()
	deadline := &http.Transport{DialContext: (&net.Dialer{Deadline: time.Now().Add(-time.Second)}).DialContext}
	for name, test := range map[string]struct {
		cfg  ClientConfig
		want bool
	}{
		"refused":       {ClientConfig{BaseURL: closed.URL}, true},
		"DNS":           {ClientConfig{BaseURL: "http://no-such-host.invalid"}, true},
		"no time to":    {ClientConfig{BaseURL: reset.URL, HTTPClient: &http.Client{Transport: deadline}}, true},
		"broke later":   {ClientConfig{BaseURL: reset.URL}, false},
		"no TLS":        {ClientConfig{BaseURL: "https" + reset.URL[len("http"):]}, false},
		"proxy refused": {ClientConfig{BaseURL: "https://x.invalid", HTTPClient: proxied(t, closed.URL)}, true},
		"proxy resets":  {ClientConfig{BaseURL: "https://x.invalid", HTTPClient: proxied(t, reset.URL)}, false},
	} {
		t.Run(name, func(t *testing.T) {
			client, err := NewClient(test.cfg)
			require.NoError(t, err)
			defer client.Close()
			_, err = client.Complete(t.Context(), &Call{Model: "m"})
			require.ErrorIs(t, err, batch.ErrAPIConnection)
			require.Equal(t, test.want, unreachable(err), err)
		})
	}
}

func proxied(t *testing.T, proxy string) *http.Client {
	t.Helper()
	at, err := url.Parse(proxy)
	require.NoError(t, err)
	transport := &http.Transport{Proxy: http.ProxyURL(at)}
	t.Cleanup(transport.CloseIdleConnections)
	return &http.Client{Transport: transport}
}
