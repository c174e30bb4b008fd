package httptool

import (
	"encoding/base64"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"time"
)

const maxRedirects = 3

func newClient(conns int, allowPrivate bool) *http.Client {
	dialer := &net.Dialer{Timeout: 30 * time.Second, KeepAlive: 30 * time.Second}
	if !allowPrivate {
		dialer.ControlContext = refusePrivate
	}
	return &http.Client{
		CheckRedirect: stayThere,
		Transport: &http.Transport{
			Proxy:                  nil, // it would resolve names by itself, so that no address could be refused
			DialContext:            dialer.DialContext,
			TLSHandshakeTimeout:    15 * time.Second,
			ForceAttemptHTTP2:      true, // a dialer of one's own switches it off otherwise
			MaxIdleConnsPerHost:    conns,
			IdleConnTimeout:        4 * time.Second, // Node's servers close after 5: a call sent just then would fail
			MaxResponseHeaderBytes: 1 << 20,
		},
	}
}

// stayThere keeps headers and arguments from reaching another host.
func stayThere(next *http.Request, sent []*http.Request) error {
	first := sent[0].URL
	switch {
	case next.URL.Scheme != first.Scheme || next.URL.Host != first.Host:
		return fmt.Errorf("it redirects to %s://%s, where nothing is sent", next.URL.Scheme, next.URL.Host)
	case len(sent) > maxRedirects:
		return fmt.Errorf("it redirects more than %d times", maxRedirects)
	}
	return nil
}

// canonical returns the headers to send, with the user info of the URL as net/http would send it.
func canonical(given http.Header, user *url.Userinfo) http.Header {
	header := http.Header{"User-Agent": {"gluepipe"}}
	if user != nil {
		password, _ := user.Password()
		pair := base64.StdEncoding.EncodeToString([]byte(user.Username() + ":" + password))
		header.Set("Authorization", "Basic "+pair)
	}
	for name, values := range given {
		header[http.CanonicalHeaderKey(name)] = values
	}
	return header.Clone()
}

// withoutURL takes out of an error what net/http puts around it: the URL, whose query may hold secrets.
func withoutURL(err error) error {
	if refused, ok := errors.AsType[*privateError](err); ok {
		return refused
	}
	if wrapped, ok := errors.AsType[*url.Error](err); ok {
		return wrapped.Err
	}
	return err
}
