package llm

import (
	"context"
	"fmt"
	"math"
	"net/http"
	"net/url"
	"strings"
	"sync"

	"github.com/sashabaranov/go-openai"

	"github.com/gluepipe/gluepipe/stages/batch"
)

// defaultMaxResponseBytes is room for any answer a model gives, images as base64 included.
const defaultMaxResponseBytes = 64 << 20

// ClientConfig says where a [Client] sends its calls, and how.
type ClientConfig struct {
	Provider Provider // gives the base URL and says how the key is sent; default: openai, or none where BaseURL is set
	BaseURL  string   // what stands before /chat/completions and /embeddings; default: the provider's
	APIKey   string   // may be "" where the provider needs none, or where BaseURL is set
	// HTTPClient sends the requests; default: one from [NewHTTPClient]. A *http.Client without a CheckRedirect is copied and
	// doesn't follow redirects.
	HTTPClient openai.HTTPDoer
	// MaxConns is how many idle connections the default HTTPClient keeps: as many as calls are in flight; default: 100.
	MaxConns int
	// MaxResponseBytes bounds an answer's body, as it is once decompressed; default: 64 MiB. Of an error's body 1 MiB at most
	// is read.
	MaxResponseBytes int64
}

// Client calls a server of chat completions and embeddings over HTTP. It is safe for concurrent use, and retries nothing
// itself.
type Client struct {
	provider   string
	chat       endpoint
	embeddings endpoint
	header     http.Header
	secrets    secrets
	http       openai.HTTPDoer
	own        *HTTPClient // the client's own, if any
	maxBytes   int64
	buffers    sync.Pool // of *[]byte, for answers
}

// endpoint is where calls of one kind go.
type endpoint struct {
	url   *url.URL
	where string // the URL for people: without what may be secret in it
}

func newEndpoint(base *url.URL, path ...string) endpoint {
	u := base.JoinPath(path...)
	return endpoint{url: u, where: u.Scheme + "://" + u.Host + u.Path}
}

func (c *Client) endpoint(call *Call) *endpoint {
	if call.Input != nil {
		return &c.embeddings
	}
	return &c.chat
}

// NewClient returns a client. Its errors say what the configuration lacks. Close it when it is no longer needed.
func NewClient(cfg ClientConfig) (*Client, error) {
	provider := cfg.Provider
	if provider == (Provider{}) && cfg.BaseURL == "" {
		provider = *findProvider("openai")
	}
	key := strings.TrimSpace(cfg.APIKey)
	if key == "" && cfg.BaseURL == "" && !provider.KeyOptional {
		return nil, batch.ErrAuthentication.Errorf("provider %s needs an API key: set %s", provider.Name, provider.KeyVar)
	}
	if strings.ContainsFunc(key, func(r rune) bool { return r <= ' ' || r > '~' }) {
		return nil, batch.ErrAuthentication.Errorf(
			"the API key holds a space, a line break or another character that no key has")
	}
	base, err := parseBaseURL(provider, cfg.BaseURL)
	if err != nil {
		return nil, err
	}
	c := &Client{
		provider:   provider.Name,
		chat:       newEndpoint(base, "chat", "completions"),
		embeddings: newEndpoint(base, "embeddings"),
		header:     header(provider, key),
		secrets:    newSecrets(key, append(proxies(), base)...),
		maxBytes:   min(cfg.MaxResponseBytes, math.MaxInt64-1), // one more is read
		buffers:    sync.Pool{New: func() any { return new([]byte) }},
	}
	if c.maxBytes <= 0 {
		c.maxBytes = defaultMaxResponseBytes
	}
	c.http, c.own = httpClient(cfg)
	return c, nil
}

func parseBaseURL(provider Provider, baseURL string) (*url.URL, error) {
	if baseURL == "" {
		baseURL = provider.BaseURL
	}
	if baseURL == "" {
		hint := ""
		if provider.EndpointVar != "" {
			hint = ", or " + provider.EndpointVar
		}
		return nil, batch.ErrInvalidRequest.Errorf(
			"provider %s has no address of its own: set the base URL%s", provider.Name, hint)
	}
	u, err := url.Parse(strings.TrimSpace(baseURL))
	if err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" {
		return nil, batch.ErrInvalidRequest.Errorf("the base URL is no URL: want one like https://api.openai.com/v1")
	}
	if u.Path == "" {
		u.Path = "/" // without it JoinPath makes a relative path
	}
	return u, nil
}

func header(provider Provider, key string) http.Header {
	h := http.Header{
		"Content-Type": {"application/json"},
		"Accept":       {"application/json"},
		"User-Agent":   {"gluepipe"},
	}
	switch {
	case key == "":
	case provider.KeyHeader != "":
		h.Set(provider.KeyHeader, key)
	default:
		h.Set("Authorization", "Bearer "+key)
	}
	return h
}

func httpClient(cfg ClientConfig) (doer openai.HTTPDoer, own *HTTPClient) {
	switch given := cfg.HTTPClient.(type) {
	case nil:
		own = NewHTTPClient(cfg.MaxConns)
		return own, own
	case *http.Client:
		if given.CheckRedirect != nil {
			return given, nil
		}
		client := *given
		client.CheckRedirect = stayPut
		return &client, nil
	default:
		return given, nil
	}
}

// Close closes the idle connections of the client's own HTTPClient. One that was given stays as it is.
func (c *Client) Close() error {
	if c.own != nil {
		c.own.CloseIdleConnections()
	}
	return nil
}

// AppendBody appends the body that the client sends for call, as the function [AppendBody] does, except that only the
// prefix of the client's own provider is left out of the model's name: "mistral:7b" is a model to Ollama.
func (c *Client) AppendBody(dst []byte, call *Call) ([]byte, error) {
	provider, model := SplitModel(call.Model)
	if c.provider != "" && provider != c.provider {
		model = call.Model
	}
	return appendBody(dst, model, call)
}

// Complete makes one call. It blocks until the answer is there, or ctx ends. Its errors are [*Error].
func (c *Client) Complete(ctx context.Context, call *Call) (*Answer, error) {
	if ctx.Err() != nil {
		return nil, contextError(ctx)
	}
	body, err := c.AppendBody(make([]byte, 0, sizeHint(call)), call)
	if err != nil {
		return nil, &Error{Kind: batch.ErrInvalidRequest, Header: noHeader, Err: fmt.Errorf("writing the request: %w", err)}
	}
	to := c.endpoint(call)
	resp, err := c.http.Do(c.request(ctx, to.url, body))
	if err != nil {
		return nil, c.networkError(ctx, "POST "+to.where, err)
	}
	defer resp.Body.Close()
	c.secrets.requestIDs(resp.Header)
	buf := c.buffers.Get().(*[]byte)
	defer c.release(buf)
	if succeeded(resp) {
		return c.readAnswer(ctx, call, resp, buf)
	}
	return nil, c.readFailure(ctx, call, resp, buf)
}

// sizeHint is about the length of the call's body.
func sizeHint(call *Call) int {
	n := 256 + len(call.Input) + len(call.ResponseFormat) + 32*len(call.Params)
	for i := range call.Messages {
		n += 64 + len(call.Messages[i].Content) + 128*len(call.Messages[i].ToolCalls)
	}
	for i := range call.Tools {
		n += 128 + len(call.Tools[i].Description) + len(call.Tools[i].Parameters) + len(call.Tools[i].Raw)
	}
	return n
}
