package llmtest_test

import (
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/gluepipe/gluepipe/stages/llm/llmtest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// client speaks to one server over connections of its own, which end with the test.
type client struct {
	t    *testing.T
	url  string
	http *http.Client
}

func start(t *testing.T, cfg llmtest.Config) (*llmtest.Server, *client) {
	t.Helper()
	srv := llmtest.New(t, cfg)
	return srv, connect(t, srv)
}

func connect(t *testing.T, srv *llmtest.Server) *client {
	t.Helper()
	transport := &http.Transport{MaxIdleConnsPerHost: 64}
	t.Cleanup(transport.CloseIdleConnections)
	return &client{t: t, url: srv.BaseURL(), http: &http.Client{Transport: transport, Timeout: time.Minute}}
}

type answer struct {
	status int
	header http.Header
	body   string
}

// post sends a body and reads the whole answer.
func (c *client) post(body string, header ...string) (answer, error) {
	c.t.Helper()
	req, err := http.NewRequestWithContext(c.t.Context(), http.MethodPost, c.url+"/chat/completions", strings.NewReader(body))
	require.NoError(c.t, err)
	for i := 0; i < len(header); i += 2 {
		req.Header.Set(header[i], header[i+1])
	}
	return c.do(req)
}

func (c *client) do(req *http.Request) (answer, error) {
	resp, err := c.http.Do(req)
	if err != nil {
		return answer{}, err
	}
	defer resp.Body.Close()
	data, err := io.ReadAll(resp.Body)
	return answer{resp.StatusCode, resp.Header, string(data)}, err
}

// ask sends a chat of one user message and wants an HTTP answer of any status.
func (c *client) ask(model, text string) answer {
	c.t.Helper()
	a, err := c.post(`{"model":"` + model + `","messages":[{"role":"user","content":"` + text + `"}]}`)
	require.NoError(c.t, err)
	return a
}
