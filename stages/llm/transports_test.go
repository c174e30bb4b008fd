package llm_test

import (
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/sashabaranov/go-openai"

	"github.com/gluepipe/gluepipe/stages/llm"
)

// doer sends requests, and closes the connections that it keeps.
type doer interface {
	openai.HTTPDoer
	CloseIdleConnections()
}

// overEachTransport runs a test over what a client has by itself, which for http:// is a transport of our own, and over
// net/http's.
func overEachTransport(t *testing.T, test func(t *testing.T, newDoer func() doer)) {
	t.Helper()
	for name, newDoer := range map[string]func() doer{
		"ours":     func() doer { return llm.NewHTTPClient(0) },
		"net-http": func() doer { return &http.Client{Transport: llm.NewTransport(0)} },
	} {
		t.Run(name, func(t *testing.T) { test(t, newDoer) })
	}
}

// serveOver starts a server that answers with handler, and returns a client of it that sends with d.
func serveOver(t *testing.T, d doer, handler http.Handler) *llm.Client {
	t.Helper()
	server := httptest.NewServer(handler)
	t.Cleanup(server.Close)
	t.Cleanup(d.CloseIdleConnections) // before the server waits for them
	return connect(t, llm.ClientConfig{BaseURL: server.URL + "/v1", APIKey: testKey, HTTPClient: d})
}
