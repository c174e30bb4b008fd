package llm_test

import (
	"context"
	"fmt"
	"net/http"
	"strconv"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/gluepipe/gluepipe/stages/batch"
	"github.com/gluepipe/gluepipe/stages/llm"
)

func failing(kind batch.ErrorKind, retryable bool) outcome {
	return outcome{kind: kind, retryable: retryable}
}

// hostileStatuses are the rarer ones. The common ones stand in TestErrorsAreClassifiedByStatusAndCode.
var hostileStatuses = map[int]struct {
	want outcome
	text string
}{
	204: {failing(batch.ErrServer, true), "204 No Content: the answer is empty"},
	205: {failing(batch.ErrServer, true), "205 Reset Content: the answer is empty"},
	206: {failing(batch.ErrServer, true), "206 Partial Content: the answer's JSON ends early, after 12 bytes"},
	300: {failing(batch.ErrInvalidRequest, false), "300 Multiple Choices: redirects are not followed: set the base URL to where the server is"},
	301: {failing(batch.ErrInvalidRequest, false), "301 Moved Permanently: redirects are not followed: set the base URL to where the server is"},
	304: {failing(batch.ErrInvalidRequest, false), "304 Not Modified: redirects are not followed: set the base URL to where the server is"},
	307: {failing(batch.ErrInvalidRequest, false), "307 Temporary Redirect: redirects are not followed: set the base URL to where the server is"},
	405: {failing(batch.ErrInvalidRequest, false), "405 Method Not Allowed"},
	407: {failing(batch.ErrInvalidRequest, false), "407 Proxy Authentication Required"},
	418: {failing(batch.ErrInvalidRequest, false), "418 I'm a teapot"},
	425: {failing(batch.ErrServer, true), "425 Too Early"},
	451: {failing(batch.ErrInvalidRequest, false), "451 Unavailable For Legal Reasons"},
	499: {failing(batch.ErrServer, true), "499"},
	501: {failing(batch.ErrServer, true), "501 Not Implemented"},
	520: {failing(batch.ErrServer, true), "520"},
	521: {failing(batch.ErrServer, true), "521"},
	522: {failing(batch.ErrServer, true), "522"},
	523: {failing(batch.ErrServer, true), "523"},
	524: {failing(batch.ErrServer, true), "524"},
	525: {failing(batch.ErrServer, true), "525"},
	526: {failing(batch.ErrServer, true), "526"},
	527: {failing(batch.ErrServer, true), "527"},
	529: {failing(batch.ErrServer, true), "529"},
	530: {failing(batch.ErrServer, true), "530"},
	999: {failing(batch.ErrServer, true), "999"},
}

// brokenBody is what comes with each status that may have a body.
const brokenBody = `{"choices":[`

func TestHostileStatusesEndInOneResult(t *testing.T) {
	overEachTransport(t, func(t *testing.T, newDoer func() doer) {
		for status, test := range hostileStatuses {
			t.Run(fmt.Sprint(status), func(t *testing.T) {
				noLeaks(t)
				client := serveOver(t, newDoer(), http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
					w.WriteHeader(status)
					if status == 206 {
						_, _ = w.Write([]byte(brokenBody))
					}
				}))
				answer, err := client.Complete(t.Context(), ask("Hello"))
				test.want.status = status
				test.want.require(t, answer, err)
				require.Equal(t, test.text, err.Error())
			})
		}
	})
}

func TestHostileStatusesEndInOneResultThroughGoOpenAI(t *testing.T) {
	for status, test := range hostileStatuses {
		if status < 400 {
			continue // go-openai takes these for good answers, or follows them
		}
		t.Run(fmt.Sprint(status), func(t *testing.T) {
			client := adaptHandler(t, reply(status, ""))
			answer, err := client.Complete(t.Context(), ask("Hello"))
			test.want.status = status
			test.want.require(t, answer, err)
		})
	}
}

func TestAnyGoodStatusMayCarryAnAnswer(t *testing.T) {
	overEachTransport(t, func(t *testing.T, newDoer func() doer) {
		for _, status := range []int{200, 201, 202, 203, 206, 299} {
			answer, err := serveOver(t, newDoer(), reply(status, goodBody)).Complete(t.Context(), ask("Hello"))
			answered.require(t, answer, err)
		}
	})
}

func TestAnErrorThatHasAnAnswerInItIsAnError(t *testing.T) {
	_, err := serve(t, reply(500, goodBody)).Complete(t.Context(), ask("Hello"))
	require.ErrorIs(t, err, batch.ErrServer)
}

func TestRedirectsAreNeverFollowed(t *testing.T) {
	overEachTransport(t, func(t *testing.T, newDoer func() doer) {
		for name, test := range map[string]struct{ location, text string }{
			"to itself":       {"/v1/chat/completions", "it leads to /v1/chat/completions: set the base URL to match"},
			"to another host": {"http://192.0.2.1/v1?token=" + testKey, "it leads to http://192.0.2.1/v1: set the base URL to match"},
			"to a file":       {"file:///etc/passwd", "it leads to file:///etc/passwd"},
			"with a password": {"https://me:secret@example.com/?key=" + testKey, "it leads to https://example.com/"},
			"to nowhere":      {"", "set the base URL to where the server is"},
		} {
			t.Run(name, func(t *testing.T) {
				for _, status := range []int{301, 302, 303, 307, 308} {
					seen := 0
					client := serveOver(t, newDoer(), http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
						seen++
						reply(status, "", "Location", test.location)(w, r)
					}))
					_, err := client.Complete(t.Context(), ask("Hello"))
					e := asError(t, err)
					require.Equal(t, batch.ErrInvalidRequest, e.Kind)
					require.False(t, e.Retryable)
					require.ErrorContains(t, err, test.text)
					require.NotContains(t, err.Error(), "secret")
					requireNoKey(t, err)
					require.Equal(t, 1, seen)
				}
			})
		}
	})
}

func TestARedirectToNoAddressIsNamed(t *testing.T) {
	handler := reply(307, "", "Location", "https://me:"+testKey+"@%zz")
	answer, err := serve(t, handler).Complete(t.Context(), ask("Hello"))
	outcome{kind: batch.ErrInvalidRequest, status: 307, text: "redirects are not followed"}.require(t, answer, err)

	answer, err = serveOver(t, &http.Client{Transport: llm.NewTransport(0)}, handler).Complete(t.Context(), ask("Hello"))
	broken.saying("failed to parse Location header").require(t, answer, err)
}

func TestSpentMoneyIsNotFatalByItself(t *testing.T) {
	for status, body := range map[int]string{
		402: "", 429: apiJSON("none left", "insufficient_quota", `"insufficient_quota"`),
		200: apiJSON("none left", "x", `"insufficient_quota"`), 400: apiJSON("limit", "", `"billing_hard_limit_reached"`),
	} {
		_, err := serve(t, reply(status, body)).Complete(t.Context(), ask("Hello"))
		e := asError(t, err)
		require.Equal(t, batch.ErrQuotaExceeded, e.Kind)
		require.False(t, e.Fatal, "another key may have some left")
	}
}

func TestOpenRoutersWaitIsReadFromTheBody(t *testing.T) {
	for headers, want := range map[string]string{
		`{"X-RateLimit-Limit":"20","X-RateLimit-Remaining":"0","X-RateLimit-Reset":"1772366430500"}`: "30.5s",
		`{"Retry-After":"17"}`: "17s",
		`{"Retry-After":17}`:   "0s",
		`{"X-RateLimit-Remaining":"3","X-RateLimit-Reset":"1772366430500"}`: "0s",
		`[]`: "0s",
	} {
		body := `{"error":{"message":"Rate limit exceeded","code":429,"metadata":{"headers":` + headers + `}}}`
		client := serve(t, reply(429, body, "Date", "Sun, 01 Mar 2026 12:00:00 GMT"))
		_, err := client.Complete(t.Context(), ask("Hello"))
		require.Equal(t, want, asError(t, err).RetryAfter.String(), headers)
	}
}

func TestTimeoutKeepsAStatusThatCameInTime(t *testing.T) {
	overEachTransport(t, func(t *testing.T, newDoer func() doer) {
		for status, want := range map[int]error{307: batch.ErrInvalidRequest, 401: batch.ErrAuthentication, 503: batch.ErrServer} {
			t.Run(strconv.Itoa(status), func(t *testing.T) {
				t.Parallel() // each waits for the timeout
				server := startHostile(t, holds(fmt.Sprintf("HTTP/1.1 %d X\r\nContent-Length: 9\r\n\r\n", status)))
				doer := newDoer()
				client := connect(t, llm.ClientConfig{BaseURL: server.url(), HTTPClient: doer})
				_, err := llm.Timeout(client).Complete(t.Context(), askWithin(soon))
				require.ErrorIs(t, err, want)
				server.stop(doer.CloseIdleConnections)
			})
		}
	})
}

// afterHeaders does something as soon as the headers are there.
type afterHeaders struct {
	doer
	act func()
}

func (d *afterHeaders) Do(r *http.Request) (*http.Response, error) {
	resp, err := d.doer.Do(r)
	d.act()
	return resp, err
}

func TestACancelledCallIsUnfinishedWhateverItsStatus(t *testing.T) {
	overEachTransport(t, func(t *testing.T, newDoer func() doer) {
		for _, status := range []int{200, 401, 429, 503} {
			server := startHostile(t, holds(fmt.Sprintf("HTTP/1.1 %d X\r\nContent-Length: 9\r\n\r\n", status)))
			ctx, cancel := context.WithCancel(t.Context())
			doer := &afterHeaders{act: cancel, doer: newDoer()}
			_, err := connect(t, llm.ClientConfig{BaseURL: server.url(), HTTPClient: doer}).Complete(ctx, ask("Hello"))
			require.ErrorIs(t, err, batch.ErrCancelled)
			server.stop(doer.CloseIdleConnections)
		}
	})
}
