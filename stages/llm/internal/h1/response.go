package h1

import (
	"bufio"
	"net/http"
)

// readHead reads the head of an answer, and those of the interim answers before it. The body of an answer that parseHead
// could read is left nil.
func readHead(r *bufio.Reader, req *http.Request) (*http.Response, error) {
	for {
		if _, err := r.Peek(1); err != nil {
			return nil, err
		}
		there, _ := r.Peek(r.Buffered())
		if resp, n := parseHead(there, req); resp != nil {
			_, _ = r.Discard(n)
			return resp, nil
		}
		resp, err := http.ReadResponse(r, req)
		if err != nil || !interim(resp.StatusCode) {
			return resp, err
		}
	}
}

// interim tells an answer that another one follows.
func interim(status int) bool {
	return status >= 100 && status <= 199 && status != http.StatusSwitchingProtocols
}
