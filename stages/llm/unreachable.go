package llm

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"net"
)

// unreachable tells a call that found nobody to send it to from one whose connection broke later. Nothing was sent, so
// nothing can have been billed: the server was down or the name unknown, or the network was. A dial that took longer than
// the dialer's own limit counts; the end of the call's context doesn't, nor does a failure of TLS, where somebody answered.
func unreachable(err error) bool {
	if errors.Is(err, context.Canceled) || tlsFailed(err) {
		return false
	}
	if operation, ok := errors.AsType[*net.OpError](err); ok && (operation.Op == "dial" || operation.Op == "proxyconnect") {
		return true
	}
	_, ok := errors.AsType[*net.DNSError](err)
	return ok
}

// tlsFailed tells a handshake that failed, for whatever reason but time.
func tlsFailed(err error) bool {
	var (
		record tls.RecordHeaderError
		alert  tls.AlertError
	)
	return unverified(err) || errors.As(err, &record) || errors.As(err, &alert)
}

// unverified tells a certificate that can't be verified, which no further attempt cures.
func unverified(err error) bool {
	var (
		verification *tls.CertificateVerificationError
		authority    x509.UnknownAuthorityError
		hostname     x509.HostnameError
		invalid      x509.CertificateInvalidError
	)
	return errors.As(err, &verification) || errors.As(err, &authority) || errors.As(err, &hostname) || errors.As(err, &invalid)
}
