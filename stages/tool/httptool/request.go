package httptool

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http"

	"github.com/gluepipe/gluepipe/stages/internal/jsonappend"
)

// A requester sends the requests of one tool.
type requester struct {
	method     string
	target     *template
	header     http.Header
	properties []string
	maxOutput  int64
	client     *http.Client
}

// queries tells whether the arguments that the URL has no fields for go into the query.
func (r *requester) queries() bool {
	return r.method == http.MethodGet || r.method == http.MethodHead || r.method == http.MethodDelete
}

func (r *requester) call(ctx context.Context, arguments json.RawMessage) (string, error) {
	req, err := r.request(ctx, arguments)
	if err != nil {
		return "", err
	}
	resp, err := r.client.Do(req)
	if err != nil {
		if ctx.Err() != nil {
			return "", ctx.Err()
		}
		return "", fmt.Errorf("%s: %w", r.target.origin(), withoutURL(err))
	}
	defer resp.Body.Close()
	return r.read(resp)
}

func (r *requester) request(ctx context.Context, arguments json.RawMessage) (*http.Request, error) {
	var left map[string]json.RawMessage
	if err := json.Unmarshal(arguments, &left); err != nil {
		return nil, fmt.Errorf("arguments: %w", err)
	}
	target, err := r.target.render(left)
	if err != nil {
		return nil, err
	}
	var body []byte
	if r.queries() {
		err = addToQuery(target, left, r.properties)
	} else {
		body, err = jsonappend.Map(nil, left) // values as the model wrote them
	}
	if err != nil {
		return nil, err
	}
	req, err := http.NewRequestWithContext(ctx, r.method, target.String(), bytes.NewReader(body))
	if err != nil {
		return nil, withoutURL(err)
	}
	req.Header = r.header.Clone()
	req.Host = r.header.Get("Host")
	if body != nil && req.Header.Get("Content-Type") == "" {
		req.Header.Set("Content-Type", "application/json")
	}
	return req, nil
}
