package httptool

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/gluepipe/gluepipe/stages/batch"
)

const anyParameters = `{"type":"object","properties":{"a":{},"b":{},"list":{"type":"array"}},"additionalProperties":true}`

// serve starts a server whose connections are gone when the test ends.
func serve(t *testing.T, handler http.HandlerFunc) string {
	t.Helper()
	server := httptest.NewServer(handler)
	t.Cleanup(func() {
		server.CloseClientConnections()
		server.Close()
	})
	return server.URL
}

func made(t *testing.T, c Config) batch.Tool {
	t.Helper()
	c.Name = "t"
	if c.Parameters == nil {
		c.Parameters = json.RawMessage(anyParameters)
	}
	c.AllowPrivate = true
	tool, err := New(c)
	require.NoError(t, err)
	return tool
}

func call(t *testing.T, tool batch.Tool, arguments string) (string, error) {
	t.Helper()
	return tool.Call(t.Context(), json.RawMessage(arguments))
}

func TestArgumentsGoIntoTheURLTheQueryOrTheBody(t *testing.T) {
	url := serve(t, func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		fmt.Fprintf(w, "%s %s %s %s", r.Method, r.RequestURI, r.Header.Get("Content-Type"), body)
	})
	required := json.RawMessage(`{"properties":{"a":{},"b":{},"list":{}},"required":["a"]}`)
	for _, test := range []struct{ method, path, arguments, want string }{
		{"", "/x/{{.a}}", `{"a":"y z"}`, "GET /x/y%20z  "},
		{"get", "/{{.a}}?b={{.b}}&k=1", `{"a":1,"list":["p q",2,null]}`, "GET /1?k=1&list=p+q&list=2  "},
		{"DELETE", "/{{.a}}", `{"a":1,"b":{"c":1}}`, "DELETE /1?b=%7B%22c%22%3A1%7D  "},
		{"POST", "/{{.a}}", `{"a":1,"b":1.0,"list":[1]}`, `POST /1 application/json {"b":1.0,"list":[1]}`},
		{"PUT", "/{{.a}}?b={{.b}}", `{"a":1,"b":2}`, `PUT /1?b=2 application/json {}`},
		{"PATCH", "/{{.a}}", `{"a":1,"more":"<&>"}`, `PATCH /1 application/json {"more":"<&>"}`},
	} {
		got, err := call(t, made(t, Config{Method: test.method, URL: url + test.path, Parameters: required}), test.arguments)
		require.NoError(t, err)
		require.Equal(t, test.want, got)
	}
	_, err := call(t, made(t, Config{URL: url}), `{"admin":true}`)
	require.EqualError(t, err, `arguments: at "/admin": unknown property`, "a model adds nothing to a query")
}

func TestArgumentsThatBreakTheSchemaSendNothing(t *testing.T) {
	tool := made(t, Config{
		URL:        serve(t, func(http.ResponseWriter, *http.Request) { t.Error("sent") }) + "/{{.a}}",
		Parameters: json.RawMessage(`{"properties":{"a":{"type":"integer"}},"required":["a"]}`),
	})
	_, err := call(t, tool, `{"a":"x"}`)
	require.EqualError(t, err, `arguments: at "/a": got string, want integer`)
	_, err = call(t, tool, `{}`)
	require.EqualError(t, err, `arguments: at "/a": missing property`)
}

func TestHeadersAndTheURLsCredentialsAreSent(t *testing.T) {
	url := serve(t, func(w http.ResponseWriter, r *http.Request) {
		user, password, _ := r.BasicAuth()
		fmt.Fprint(w, user, password, r.Header.Get("X-Key"), r.Header.Get("Content-Type"), r.UserAgent(), r.Host)
	})
	got, err := call(t, made(t, Config{
		Method: "POST", URL: strings.Replace(url, "://", "://u:p@", 1),
		Header: http.Header{"x-key": {"k"}, "content-type": {"mine"}, "Host": {"example.com"}},
	}), `{}`)
	require.NoError(t, err)
	require.Equal(t, "upkminegluepipeexample.com", got)
}

func TestAToolTakesItsMarksFromItsConfiguration(t *testing.T) {
	tool := made(t, Config{
		URL: "https://example.com", Description: "d", Timeout: time.Second, ReadOnly: true, Destructive: true,
	})
	require.Equal(t, "t", tool.Name)
	require.Equal(t, "d", tool.Description)
	require.Equal(t, time.Second, tool.Timeout)
	require.True(t, tool.ReadOnly)
	require.True(t, tool.Destructive)
}

func TestOnlySoManyCallsRunAtOnce(t *testing.T) {
	tool := made(t, Config{URL: "https://example.com", MaxConcurrent: 1})
	release, err := tool.Acquire(t.Context())
	require.NoError(t, err)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err = tool.Acquire(ctx)
	require.ErrorIs(t, err, context.Canceled)
	release()
	_, err = tool.Acquire(t.Context())
	require.NoError(t, err)
}

func TestAWrongConfigurationIsNamed(t *testing.T) {
	const good = "https://example.com/{{.a}}"
	required := json.RawMessage(`{"properties":{"a":{},"b":{}},"required":["a"]}`)
	for want, c := range map[string]Config{
		`HTTP tool "": a name has`:                                       {URL: good},
		`the method is "TRACE", want one of GET, HEAD`:                   {Name: "t", URL: good, Method: "TRACE"},
		`MaxOutput is -1`:                                                {Name: "t", URL: good, MaxOutput: -1},
		`MaxConcurrent is -1`:                                            {Name: "t", URL: good, MaxConcurrent: -1},
		`want one such as "https://api.example.com`:                      {Name: "t", URL: "ftp://secret@example.com"},
		`the URL is not valid`:                                           {Name: "t", URL: "https://secret:x@h:port/"},
		`a field in its scheme or its host`:                              {Name: "t", URL: "https://{{.a}}.example.com"},
		`{{ or }} that is no field`:                                      {Name: "t", URL: "https://example.com/{{a}}"},
		`a field in a name of its query, "{{.a}}"`:                       {Name: "t", URL: "https://example.com/?{{.a}}=1"},
		`the URL has a #`:                                                {Name: "t", URL: "https://example.com/#{{.a}}"},
		`the field "c", which is no property of the parameters`:          {Name: "t", URL: "https://example.com/{{.c}}"},
		`the field "b", so the parameters must require it`:               {Name: "t", URL: "https://example.com/{{.b}}"},
		`write b={{.b}} in the URL`:                                      {Name: "t", URL: good + "?b=secret"},
		`of type "object"`:                                               {Name: "t", URL: good, Parameters: json.RawMessage(`{"type":"array"}`)},
		`127.0.0.1:80 is not a public address: AllowPrivate`:             {Name: "t", URL: "http://127.0.0.1:80/"},
		`[::ffff:10.0.0.1] is not a public address: AllowPrivate`:        {Name: "t", URL: "http://[::ffff:10.0.0.1]/"},
		`LOCALHOST.:8080 is not a public address: AllowPrivate`:          {Name: "t", URL: "http://LOCALHOST.:8080/"},
		`{{ or }} that is no field: want {{.field}}, with the name of a`: {Name: "t", URL: "https://example.com/{{.a | printf}}"},
	} {
		if c.Parameters == nil {
			c.Parameters = required
		}
		_, err := New(c)
		require.ErrorContains(t, err, want)
		require.NotContains(t, err.Error(), "secret")
	}
}

func TestAPrivateAddressIsRefusedAfterTheNameIsResolved(t *testing.T) {
	var reached atomic.Int64
	url := serve(t, func(http.ResponseWriter, *http.Request) { reached.Add(1) })
	_, port, err := net.SplitHostPort(strings.TrimPrefix(url, "http://"))
	require.NoError(t, err)
	// The configuration is good; by the time of the call the name means this machine.
	client := newClient(1, false)
	r := &requester{method: "GET", client: client, maxOutput: 1, target: must(parseTemplate("http://localhost:" + port))}
	_, err = r.call(t.Context(), json.RawMessage(`{}`))
	require.ErrorContains(t, err, ":"+port+" is not public: this tool isn't allowed to reach it")
	require.Zero(t, reached.Load())
}

func TestNoProxyOfTheEnvironmentIsUsed(t *testing.T) {
	require.Nil(t, newClient(1, false).Transport.(*http.Transport).Proxy)
}

func TestRedirectsAreFollowedOnTheSameHostOnly(t *testing.T) {
	other := serve(t, func(_ http.ResponseWriter, r *http.Request) { t.Error("sent", r.Header) })
	url := serve(t, func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/old":
			http.Redirect(w, r, "/new", http.StatusTemporaryRedirect)
		case "/new":
			body, _ := io.ReadAll(r.Body)
			fmt.Fprint(w, r.Method, r.Header.Get("X-Key"), string(body))
		case "/away":
			http.Redirect(w, r, other+"/?token=secret", http.StatusFound)
		default:
			http.Redirect(w, r, r.URL.Path, http.StatusFound)
		}
	})
	header := http.Header{"X-Key": {"secret"}}
	got, err := call(t, made(t, Config{Method: "POST", URL: url + "/old", Header: header}), `{"a":1}`)
	require.NoError(t, err)
	require.Equal(t, `POSTsecret{"a":1}`, got)
	_, err = call(t, made(t, Config{URL: url + "/away?key=secret", Header: header}), `{}`)
	require.EqualError(t, err, url+": it redirects to "+other+", where nothing is sent")
	_, err = call(t, made(t, Config{URL: url + "/round?key=secret", Header: header}), `{}`)
	require.EqualError(t, err, url+": it redirects more than 3 times")
}

func TestNoSecretOfAToolIsInItsErrors(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	address := listener.Addr().String()
	listener.Close()
	secret := Config{
		URL:    "http://secret:secret@" + address + "/secret?key=secret",
		Header: http.Header{"X-Key": {"secret"}},
	}
	_, err = call(t, made(t, secret), `{}`)
	require.ErrorContains(t, err, "http://"+address+": dial tcp")
	require.NotContains(t, err.Error(), "secret")

	secret.Header = http.Header{"X-Key": {"secret\n"}}
	_, err = call(t, made(t, secret), `{}`)
	require.ErrorContains(t, err, `invalid header field value for "X-Key"`)
	require.NotContains(t, err.Error(), "secret")

	cutOff := serve(t, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Length", "10")
		fmt.Fprint(w, "half")
	})
	_, err = call(t, made(t, Config{URL: cutOff + "/?key=secret"}), `{}`)
	require.EqualError(t, err, cutOff+": the answer broke off after 4 bytes: unexpected EOF")
}

func TestACallEndsWithItsContext(t *testing.T) {
	begun := make(chan struct{})
	url := serve(t, func(_ http.ResponseWriter, r *http.Request) {
		close(begun)
		<-r.Context().Done()
	})
	ctx, cancel := context.WithCancel(t.Context())
	go func() {
		<-begun
		cancel()
	}()
	_, err := made(t, Config{URL: url}).Call(ctx, json.RawMessage(`{}`))
	require.ErrorIs(t, err, context.Canceled)
}

func TestACertificateThatNobodyKnowsIsRefused(t *testing.T) {
	server := httptest.NewUnstartedServer(http.NotFoundHandler())
	server.Config.ErrorLog = log.New(io.Discard, "", 0)
	server.StartTLS()
	defer server.Close()
	_, err := call(t, made(t, Config{URL: server.URL}), `{}`)
	require.ErrorContains(t, err, server.URL+": tls: failed to verify certificate")
}
