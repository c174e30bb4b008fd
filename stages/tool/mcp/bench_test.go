package mcp

import (
	"context"
	"net/http"
	"net/http/httptest"
	"testing"

	sdk "github.com/modelcontextprotocol/go-sdk/mcp"
	"github.com/stretchr/testify/require"
)

// BenchmarkCalls has 64 callers share one session with a server that echoes.
func BenchmarkCalls(b *testing.B) {
	web := httptest.NewServer(sdk.NewStreamableHTTPHandler(func(*http.Request) *sdk.Server { return echoServer() }, nil))
	defer web.Close()
	for name, server := range map[string]Server{
		"in process": inProcessServer(echoServer()),
		"stdio":      program(b, "echoes"),
		"http":       {URL: web.URL},
	} {
		b.Run(name, func(b *testing.B) {
			s, err := Connect(b.Context(), server)
			require.NoError(b, err)
			defer func() { require.NoError(b, s.Close(b.Context())) }()
			echo := &s.Tools()[0]
			b.SetParallelism(64)
			b.ReportAllocs()
			b.ResetTimer()
			b.RunParallel(func(pb *testing.PB) {
				for pb.Next() {
					if _, err := call(b.Context(), echo, `{"text":"hello"}`); err != nil {
						b.Error(err)
						return
					}
				}
			})
		})
	}
}

func init() {
	programs["echoes"] = func() { _ = echoServer().Run(context.Background(), &sdk.StdioTransport{}) }
}

func echoServer() *sdk.Server {
	server := newServer("echoes")
	add(server, sdk.Tool{Name: "echo"}, echo)
	return server
}
