package mcp

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	sdk "github.com/modelcontextprotocol/go-sdk/mcp"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"
	"go.uber.org/zap"
)

const fakeSession = "session-1"

// A fakeHTTP is a server that speaks just enough MCP over HTTP to come to the calls, which a test answers as it likes.
type fakeHTTP struct {
	call   func(w http.ResponseWriter, r *http.Request, id string) // of a tool
	stream http.HandlerFunc                                        // GET; nil: not offered
	list   string                                                  // the result of tools/list

	mu   sync.Mutex
	seen []http.Header // one a request
	ends int           // DELETEs
}

func (f *fakeHTTP) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	f.mu.Lock()
	f.seen = append(f.seen, r.Header.Clone())
	f.mu.Unlock()
	switch {
	case r.Method == http.MethodDelete:
		f.mu.Lock()
		f.ends++
		f.mu.Unlock()
		return
	case r.Method == http.MethodGet && f.stream != nil:
		f.stream(w, r)
		return
	case r.Method != http.MethodPost:
		w.WriteHeader(http.StatusMethodNotAllowed)
		return
	}
	body, _ := io.ReadAll(r.Body)
	var message struct {
		ID     json.RawMessage `json:"id"`
		Method string          `json:"method"`
	}
	if err := json.Unmarshal(body, &message); err != nil {
		w.WriteHeader(http.StatusBadRequest)
		return
	}
	switch message.Method {
	case "tools/list":
		writeJSON(w, message.ID, f.list)
	case "initialize":
		w.Header().Set("Mcp-Session-Id", fakeSession)
		writeJSON(w, message.ID, `{"protocolVersion":"2025-06-18","capabilities":{"tools":{}},"serverInfo":{"name":"fake","version":"1"}}`)
	case "tools/call":
		f.call(w, r, string(message.ID))
	case "server/discover":
		http.Error(w, "what?", http.StatusBadRequest)
	default:
		w.WriteHeader(http.StatusAccepted)
	}
}

func writeJSON(w http.ResponseWriter, id json.RawMessage, result string) {
	w.Header().Set("Content-Type", "application/json")
	fmt.Fprintf(w, `{"jsonrpc":"2.0","id":%s,"result":%s}`, id, result)
}

func good(id string) string {
	return fmt.Sprintf(`{"jsonrpc":"2.0","id":%s,"result":{"content":[{"type":"text","text":"good"}]}}`, id)
}

// serve starts a server. Nothing of the test may be left once it has stopped.
func serve(t *testing.T, handler http.Handler) *httptest.Server {
	t.Helper()
	before := goleak.IgnoreCurrent()
	server := httptest.NewServer(handler)
	t.Cleanup(func() {
		server.CloseClientConnections()
		server.Close()
		goleak.VerifyNone(t, before)
	})
	return server
}

// dial opens a session over our transport.
func dial(t *testing.T, s Server) (*sdk.ClientSession, error) {
	t.Helper()
	s = s.withDefaults()
	transport, err := newHTTPTransport(&s, zap.NewNop())
	require.NoError(t, err)
	t.Cleanup(transport.kill)
	client := sdk.NewClient(&sdk.Implementation{Name: "test", Version: "1"}, &sdk.ClientOptions{
		Capabilities: &sdk.ClientCapabilities{},
	})
	session, err := client.Connect(t.Context(), transport, nil)
	if err == nil {
		t.Cleanup(func() { session.Close() })
	}
	return session, err
}

// opened is a session with what is under it.
func opened(t *testing.T, url string) (*sdk.ClientSession, *httpTransport) {
	t.Helper()
	s := Server{URL: url}.withDefaults()
	transport, err := newHTTPTransport(&s, s.Logger)
	require.NoError(t, err)
	session, err := sdk.NewClient(&sdk.Implementation{Name: "test"}, nil).Connect(t.Context(), transport, nil)
	require.NoError(t, err)
	t.Cleanup(func() {
		transport.kill()
		session.Close()
	})
	return session, transport
}

func mustDial(t *testing.T, s Server) *sdk.ClientSession {
	t.Helper()
	session, err := dial(t, s)
	require.NoError(t, err)
	return session
}

// ask calls a tool and returns its text.
func ask(ctx context.Context, session *sdk.ClientSession, name string) (string, error) {
	result, err := session.CallTool(ctx, &sdk.CallToolParams{Name: name})
	if err != nil {
		return "", err
	}
	var texts []string
	for _, content := range result.Content {
		if text, ok := content.(*sdk.TextContent); ok {
			texts = append(texts, text.Text)
		}
	}
	return strings.Join(texts, "\n"), nil
}

// sdkServer has a tool that answers, and one that says that it has begun and that its context has ended.
func sdkServer(cancelled chan<- struct{}) *sdk.Server {
	server := sdk.NewServer(&sdk.Implementation{Name: "real", Version: "1"}, nil)
	text := func(s string) *sdk.CallToolResult {
		return &sdk.CallToolResult{Content: []sdk.Content{&sdk.TextContent{Text: s}}}
	}
	sdk.AddTool(server, &sdk.Tool{Name: "hello"},
		func(context.Context, *sdk.CallToolRequest, struct{}) (*sdk.CallToolResult, any, error) {
			return text("hello"), nil, nil
		})
	sdk.AddTool(server, &sdk.Tool{Name: "wait"},
		func(ctx context.Context, _ *sdk.CallToolRequest, _ struct{}) (*sdk.CallToolResult, any, error) {
			cancelled <- struct{}{} // it has begun
			<-ctx.Done()
			cancelled <- struct{}{}
			return text("waited"), nil, nil
		})
	return server
}

func sdkHandler(server *sdk.Server, o sdk.StreamableHTTPOptions) http.Handler {
	return sdk.NewStreamableHTTPHandler(func(*http.Request) *sdk.Server { return server }, &o)
}
