// Package exampletest runs the examples in their tests: without a key, or with one for a provider that insists on it.
package exampletest

import (
	"bytes"
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"regexp"
	"testing"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/gluepipe/gluepipe/stages/llm/llmtest"
)

// WithoutKey takes the model and the key out of the environment, so that the example asks its mock. The test fails if it
// leaves a goroutine behind.
func WithoutKey(t *testing.T) {
	t.Helper()
	verifyNoLeaks(t)
	t.Setenv("GLUEPIPE_MODEL", "")
	t.Setenv("OPENAI_API_KEY", "")
}

// WithProvider makes the environment that of someone with a key. The example's calls reach the server that is returned,
// which answers as respond says; nil echoes. The test fails if it leaves a goroutine behind.
func WithProvider(t *testing.T, respond func(*llmtest.Request) *llmtest.Answer) *llmtest.Server {
	t.Helper()
	verifyNoLeaks(t)
	server := llmtest.New(t, llmtest.Config{
		APIKeys: []string{"sk-test"}, Respond: respond, CountAttempts: true, RecordBodies: true,
	})
	target, err := url.Parse(server.BaseURL())
	require.NoError(t, err)
	transport := &http.Transport{}
	t.Cleanup(transport.CloseIdleConnections)
	proxy := httputil.NewSingleHostReverseProxy(target)
	proxy.Transport = transport
	// Azure, because its address comes from the environment; it serves below a path of its own.
	azure := httptest.NewServer(http.StripPrefix("/openai/v1", proxy))
	t.Cleanup(azure.Close)
	t.Setenv("GLUEPIPE_MODEL", "azure:gpt-4o-mini")
	t.Setenv("AZURE_OPENAI_ENDPOINT", azure.URL)
	t.Setenv("AZURE_OPENAI_API_KEY", "sk-test")
	return server
}

func verifyNoLeaks(t *testing.T) {
	t.Helper()
	before := goleak.IgnoreCurrent()
	t.Cleanup(func() { goleak.VerifyNone(t, before) })
}

var (
	elapsed = regexp.MustCompile(`\b\d+(\.\d+)?m?s\b`)
	madeID  = regexp.MustCompile(`batch-[0-9a-f-]{36}-`)
)

// Output runs an example and returns what it prints, with 1ms for every time, and batch-<uuid>- at the beginning of every
// id that was made up.
func Output(t *testing.T, run func(context.Context, io.Writer) error) string {
	t.Helper()
	var out bytes.Buffer
	require.NoError(t, run(t.Context(), &out))
	text := elapsed.ReplaceAllString(out.String(), "1ms")
	return madeID.ReplaceAllString(text, "batch-<uuid>-")
}
