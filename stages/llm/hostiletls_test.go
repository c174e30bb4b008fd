package llm_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/gluepipe/gluepipe/stages/batch"
	"github.com/gluepipe/gluepipe/stages/llm"
)

// certify makes a certificate that signs itself, and the pool of those who trust it.
func certify(t *testing.T, host string, ends time.Time) (tls.Certificate, *x509.CertPool) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), NotBefore: ends.Add(-48 * time.Hour), NotAfter: ends, IsCA: true,
		BasicConstraintsValid: true, KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign,
	}
	if ip := net.ParseIP(host); ip != nil {
		template.IPAddresses = []net.IP{ip}
	} else {
		template.DNSNames = []string{host}
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	require.NoError(t, err)
	leaf, err := x509.ParseCertificate(der)
	require.NoError(t, err)
	pool := x509.NewCertPool()
	pool.AddCert(leaf)
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}, pool
}

// trusting is a client that trusts those in pool, and nobody else.
func trusting(t *testing.T, pool *x509.CertPool) *http.Client {
	t.Helper()
	transport := llm.NewTransport(0)
	transport.TLSClientConfig = &tls.Config{RootCAs: pool}
	t.Cleanup(transport.CloseIdleConnections)
	return &http.Client{Transport: transport}
}

func TestCertificatesThatDontVerifyEndTheRun(t *testing.T) {
	tomorrow := time.Now().Add(24 * time.Hour)
	for name, test := range map[string]struct {
		host    string
		ends    time.Time
		trusted bool
		text    string
	}{
		"nobody vouches for it": {"127.0.0.1", tomorrow, false, "certificate signed by unknown authority"},
		"another host's":        {"example.com", tomorrow, true, "doesn't contain any IP SANs"},
		"expired":               {"127.0.0.1", time.Now().Add(-time.Hour), true, "certificate has expired or is not yet valid"},
		"not valid yet":         {"127.0.0.1", tomorrow.Add(48 * time.Hour), true, "certificate has expired or is not yet valid"},
	} {
		t.Run(name, func(t *testing.T) {
			noLeaks(t)
			certificate, pool := certify(t, test.host, test.ends)
			if !test.trusted {
				pool = x509.NewCertPool()
			}
			server := httptest.NewUnstartedServer(reply(200, goodBody))
			server.Config.ErrorLog = discardLog
			server.TLS = &tls.Config{Certificates: []tls.Certificate{certificate}}
			server.StartTLS()
			defer server.Close()
			client := connect(t, llm.ClientConfig{BaseURL: server.URL, APIKey: testKey, HTTPClient: trusting(t, pool)})
			answer, err := client.Complete(t.Context(), ask("Hello"))
			outcome{kind: batch.ErrAPIConnection, fatal: true, text: test.text}.require(t, answer, err)
		})
	}
}

func TestHandshakesThatFailAreTriedAgain(t *testing.T) {
	for name, test := range map[string]connectionCase{
		"never ends":            {act: (*hostileConn).gone, hangs: true, want: noAnswer},
		"breaks off":            {act: func(c *hostileConn) { _, _ = c.r.Peek(100) }, want: broken},
		"is reset":              {act: func(c *hostileConn) { _, _ = c.r.Peek(100); c.reset() }, want: broken.saying("connection reset by peer")},
		"is plain HTTP":         {act: func(c *hostileConn) { _, _ = c.r.Peek(100); c.write("HTTP/1.1 400 Bad Request\r\n\r\n") }, want: broken.saying("server gave HTTP response to HTTPS client")},
		"is no TLS":             {act: func(c *hostileConn) { _, _ = c.r.Peek(100); c.write("SSH-2.0-OpenSSH_9.9\r\n") }, want: broken.saying("first record does not look like a TLS handshake")},
		"is refused":            {act: func(c *hostileConn) { _, _ = c.r.Peek(100); c.write("\x15\x03\x03\x00\x02\x02\x28") }, want: broken.saying("handshake failure")},
		"is for another server": {act: func(c *hostileConn) { _, _ = c.r.Peek(100); c.write("\x15\x03\x03\x00\x02\x02\x70") }, want: broken.saying("unrecognized name")},
	} {
		t.Run(name, func(t *testing.T) {
			noLeaks(t)
			server := startHostile(t, test.act)
			url := strings.Replace(server.url(), "http:", "https:", 1)
			client := connect(t, llm.ClientConfig{BaseURL: url, APIKey: testKey})
			answer, err := llm.Timeout(client).Complete(t.Context(), askWithin(test.within(test.want)))
			test.want.require(t, answer, err)
			server.stop(func() { _ = client.Close() })
		})
	}
}

func TestHandshakeHasATimeOfItsOwn(t *testing.T) {
	transport := llm.NewTransport(0)
	require.Positive(t, transport.TLSHandshakeTimeout)
	transport.TLSHandshakeTimeout = shortly
	server := startHostile(t, (*hostileConn).gone)
	url := strings.Replace(server.url(), "http:", "https:", 1)
	client := connect(t, llm.ClientConfig{BaseURL: url, APIKey: testKey, HTTPClient: &http.Client{Transport: transport}})
	answer, err := client.Complete(t.Context(), ask("Hello"))
	outcome{kind: batch.ErrAPITimeout, retryable: true, text: "TLS handshake timeout"}.require(t, answer, err)
	server.stop(transport.CloseIdleConnections)
}

func TestPlainHTTPOnAnHTTPSServerIsNamed(t *testing.T) {
	server := httptest.NewUnstartedServer(reply(200, goodBody))
	server.Config.ErrorLog = discardLog
	server.StartTLS()
	defer server.Close()
	client := connect(t, llm.ClientConfig{BaseURL: strings.Replace(server.URL, "https:", "http:", 1), APIKey: testKey})
	answer, err := client.Complete(t.Context(), ask("Hello"))
	outcome{
		kind: batch.ErrInvalidRequest, status: 400, text: "Client sent an HTTP request to an HTTPS server",
	}.require(t, answer, err)
}
