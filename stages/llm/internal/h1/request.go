package h1

import (
	"net"
	"net/http"
	"net/http/httptrace"
	"net/textproto"
	"net/url"
	"slices"
	"strconv"
)

// Speaks reports whether a [Transport] can send the request: a POST to an http:// address, with a body of known length that
// can be had again, and without what asks for more than an answer. Whatever is wrong with a request, net/http has words for.
func Speaks(req *http.Request) bool {
	if !available || req.Method != http.MethodPost || req.URL == nil || req.URL.Scheme != "http" || req.URL.Opaque != "" || req.URL.User != nil ||
		!isHost(req.URL.Host) || req.Host != "" && !isHost(req.Host) ||
		req.Body == nil || req.ContentLength <= 0 || req.GetBody == nil ||
		req.Close || req.Cancel != nil || req.TransferEncoding != nil || req.Trailer != nil { //nolint:staticcheck // Cancel may be set all the same
		return false
	}
	for name, values := range req.Header {
		if !plainHeader(name) || slices.ContainsFunc(values, strange) {
			return false
		}
	}
	return !strangeTarget(req.URL.RequestURI()) && httptrace.ContextClientTrace(req.Context()) == nil
}

// plainHeader refuses names that net/http would treat in a way of its own, and those that are none.
func plainHeader(name string) bool {
	switch name {
	case "Host", "Content-Length", "Connection", "Keep-Alive", "Proxy-Connection", "Transfer-Encoding", "Te", "Trailer",
		"Upgrade", "Expect", "Accept-Encoding", "Range", "Idempotency-Key", "X-Idempotency-Key":
		return false
	}
	return isToken(name) && textproto.CanonicalMIMEHeaderKey(name) == name
}

func isLetter(b byte) bool { return 'a' <= b|0x20 && b|0x20 <= 'z' }
func isDigit(b byte) bool  { return '0' <= b && b <= '9' }

// strange finds what may not stand in a header's value, and blanks around it, which net/http trims.
func strange(value string) bool {
	for i := range len(value) {
		if b := value[i]; b < ' ' || b == 0x7f {
			return true
		}
	}
	return value != "" && (value[0] == ' ' || value[len(value)-1] == ' ')
}

func strangeTarget(uri string) bool {
	for i := range len(uri) {
		if b := uri[i]; b <= ' ' || b >= 0x7f {
			return true
		}
	}
	return false
}

// isHost accepts a name or an address in ASCII, with or without a port.
func isHost(host string) bool {
	for i := range len(host) {
		b := host[i]
		if !isLetter(b) && !isDigit(b) && b != '.' && b != '-' && b != '_' && b != ':' && b != '[' && b != ']' {
			return false
		}
	}
	return host != "" && host[0] != ':'
}

// dialAddress returns host and port of a URL.
func dialAddress(u *url.URL) string {
	if port := u.Port(); port == "" {
		return net.JoinHostPort(u.Hostname(), "80")
	}
	return u.Host
}

// appendHead appends all that comes before the body.
func appendHead(b []byte, req *http.Request) []byte {
	b = append(b, "POST "...)
	b = append(b, req.URL.RequestURI()...)
	b = append(b, " HTTP/1.1\r\nHost: "...)
	if req.Host != "" {
		b = append(b, req.Host...)
	} else {
		b = append(b, req.URL.Host...)
	}
	if req.Header["User-Agent"] == nil {
		b = append(b, "\r\nUser-Agent: Go-http-client/1.1"...)
	}
	b = append(b, "\r\nContent-Length: "...)
	b = strconv.AppendInt(b, req.ContentLength, 10)
	for name, values := range req.Header {
		for _, value := range values {
			b = append(b, "\r\n"...)
			b = append(b, name...)
			b = append(b, ": "...)
			b = append(b, value...)
		}
	}
	return append(b, "\r\nAccept-Encoding: gzip\r\n\r\n"...)
}
