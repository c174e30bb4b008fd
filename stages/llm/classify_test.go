package llm_test

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"syscall"
	"testing"
	"time"

	"github.com/sashabaranov/go-openai"
	"github.com/stretchr/testify/require"

	"github.com/gluepipe/gluepipe/stages/batch"
	"github.com/gluepipe/gluepipe/stages/llm"
)

func TestClassifyReadsAnyError(t *testing.T) {
	tests := map[string]struct {
		err       error
		kind      batch.ErrorKind
		retryable bool
	}{
		"a kind":                      {batch.ErrStructuredOutput.Errorf("x"), batch.ErrStructuredOutput, final},
		"a kind, wrapped":             {fmt.Errorf("x: %w", batch.ErrServer.Errorf("y")), batch.ErrServer, retried},
		"kind cancelled":              {batch.ErrCancelled, batch.ErrCancelled, final},
		"API error":                   {&openai.APIError{HTTPStatusCode: 429, Message: "x"}, batch.ErrRateLimit, retried},
		"API error, code":             {&openai.APIError{HTTPStatusCode: 429, Code: "insufficient_quota"}, batch.ErrQuotaExceeded, final},
		"API error, number":           {&openai.APIError{Code: 401}, batch.ErrAuthentication, final},
		"API error, float":            {&openai.APIError{Code: 503.0}, batch.ErrServer, retried},
		"API error, nothing":          {&openai.APIError{Message: "x"}, batch.ErrServer, retried},
		"API error, Azure":            {&openai.APIError{HTTPStatusCode: 400, InnerError: &openai.InnerError{Code: "ResponsibleAIPolicyViolation"}}, batch.ErrContentFilter, final},
		"request error":               {&openai.RequestError{HTTPStatusCode: 502, Body: []byte("<title>Bad</title>")}, batch.ErrServer, retried},
		"request error, 404":          {&openai.RequestError{HTTPStatusCode: 404, Body: []byte(`{"error":"no model"}`)}, batch.ErrInvalidRequest, final},
		"request error, empty inside": {&openai.RequestError{HTTPStatusCode: 429, Err: &openai.APIError{}, Body: []byte(`{"error":"x"}`)}, batch.ErrRateLimit, retried},
		"request error, 429":          {&openai.RequestError{HTTPStatusCode: 429}, batch.ErrRateLimit, retried},
		"deadline":                    {fmt.Errorf("x: %w", context.DeadlineExceeded), batch.ErrAPITimeout, retried},
		"network timeout":             {&net.OpError{Op: "read", Err: os.ErrDeadlineExceeded}, batch.ErrAPITimeout, retried},
		"dial timeout":                {&net.OpError{Op: "dial", Err: os.ErrDeadlineExceeded}, batch.ErrAPIConnection, retried},
		"DNS timeout":                 {&net.DNSError{IsTimeout: true}, batch.ErrAPIConnection, retried},
		"refused":                     {&net.OpError{Op: "dial", Err: syscall.ECONNREFUSED}, batch.ErrAPIConnection, retried},
		"DNS":                         {&net.DNSError{IsNotFound: true}, batch.ErrAPIConnection, retried},
		"unexpected end":              {fmt.Errorf("x: %w", io.ErrUnexpectedEOF), batch.ErrAPIConnection, retried},
		"transport":                   {&url.Error{Op: "Post", Err: io.EOF}, batch.ErrAPIConnection, retried},
		"certificate":                 {&url.Error{Op: "Post", Err: x509.HostnameError{Certificate: &x509.Certificate{}}}, batch.ErrAPIConnection, final},
		"anything else":               {errors.New("429 rate limit exceeded"), batch.ErrServer, retried},
		"end":                         {io.EOF, batch.ErrServer, retried},
		"somebody's cancel":           {context.Canceled, batch.ErrServer, retried},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			e := llm.Classify(t.Context(), test.err)
			require.Equal(t, test.kind, e.Kind)
			require.Equal(t, test.retryable, e.Retryable)
			require.ErrorIs(t, e, test.kind)
			require.Equal(t, test.kind, batch.KindOf(e))
			require.NotEmpty(t, e.Error())
			require.Equal(t, -1, e.Header.RemainingTokens)
			var api *openai.APIError
			if errors.As(test.err, &api) && api.HTTPStatusCode != 0 {
				var kept *openai.APIError
				require.ErrorAs(t, e, &kept)
				require.Same(t, api, kept)
			}
		})
	}
}

func TestClassifyKeepsAnError(t *testing.T) {
	known := &llm.Error{Kind: batch.ErrRateLimit, Status: 429, RetryAfter: time.Second, Err: errors.New("slow down")}
	require.Same(t, known, llm.Classify(t.Context(), known))

	wrapped := llm.Classify(t.Context(), fmt.Errorf("after 15m0s of waiting: %w", known))
	require.EqualError(t, wrapped, "after 15m0s of waiting: slow down")
	require.Equal(t, 429, wrapped.Status)
	require.Equal(t, time.Second, wrapped.RetryAfter)
	require.Equal(t, batch.ErrRateLimit, wrapped.Kind)
	require.False(t, wrapped.Retryable)

	other := llm.Classify(t.Context(), batch.ErrBudgetExceeded.Wrap(known))
	require.Equal(t, batch.ErrBudgetExceeded, other.Kind)
	require.Nil(t, llm.Classify(t.Context(), nil))
}

func TestClassifyTellsTheCallersCancelFromOthers(t *testing.T) {
	ctx, cancel := context.WithCancelCause(t.Context())
	cause := errors.New("enough")
	cancel(cause)
	e := llm.Classify(ctx, &url.Error{Op: "Post", Err: context.Canceled})
	require.Equal(t, batch.ErrCancelled, e.Kind)
	require.False(t, e.Retryable)
	require.ErrorIs(t, e, cause)
	require.EqualError(t, e, "call cancelled: enough")
}

func TestTransportKeepsAsManyConnectionsAsCallsAreInFlight(t *testing.T) {
	require.Equal(t, 64, llm.NewTransport(64).MaxIdleConnsPerHost)
	require.Equal(t, 100, llm.NewTransport(0).MaxIdleConnsPerHost)
	transport := llm.NewTransport(1)
	require.Zero(t, transport.ResponseHeaderTimeout)
	require.Zero(t, transport.MaxIdleConns)
	require.True(t, transport.ForceAttemptHTTP2)
	require.NotNil(t, transport.Proxy)
	var _ http.RoundTripper = transport
}
