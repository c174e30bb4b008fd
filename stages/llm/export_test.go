package llm

import (
	"crypto/tls"
	"crypto/x509"
)

// Trust has an HTTPClient trust those in pool, and nobody else.
func (c *HTTPClient) Trust(pool *x509.CertPool) {
	c.transport.TLSClientConfig = &tls.Config{RootCAs: pool}
}

// AnnounceStart lets tests stand in for the limits below a Hedge.
var AnnounceStart = announceStart

// InFlight returns how many calls the limiter takes to be in flight.
func (l *Limiter) InFlight() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.inFlight
}
