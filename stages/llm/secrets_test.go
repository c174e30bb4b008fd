package llm

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/gluepipe/gluepipe/stages/batch"
)

func TestWhatServersRepeatOfAddressesAndKeysIsHidden(t *testing.T) {
	const (
		key      = "sk-KEY/key+key=="
		password = "PASS/word<word"
		query    = "QUERY&query"
	)
	echo := map[string]func(w http.ResponseWriter, r *http.Request, said string){
		"JSON": func(w http.ResponseWriter, _ *http.Request, said string) {
			w.WriteHeader(http.StatusInternalServerError)
			fmt.Fprintf(w, `{"error": {"message": %q, "code": %q}}`, said, said)
		},
		"escaped JSON": func(w http.ResponseWriter, _ *http.Request, said string) {
			w.WriteHeader(http.StatusUnauthorized)
			fmt.Fprintf(w, `{"error": {"message": "%s"}}`, strings.NewReplacer("/", `\/`, "<", `\u003c`, "&", `\u0026`).Replace(said))
		},
		"HTML": func(w http.ResponseWriter, _ *http.Request, said string) {
			w.WriteHeader(http.StatusBadGateway)
			fmt.Fprintf(w, "<html><p>%s</p></html>", strings.NewReplacer("&", "&amp;", "<", "&lt;").Replace(said))
		},
		"a redirect": func(w http.ResponseWriter, _ *http.Request, said string) {
			w.Header().Set("Location", "https://user:secret@elsewhere/"+url.PathEscape(said)+"?q="+url.QueryEscape(said))
			w.WriteHeader(http.StatusFound)
		},
		"a header": func(w http.ResponseWriter, _ *http.Request, said string) {
			w.Header().Set("X-Request-Id", said)
			w.WriteHeader(http.StatusTooManyRequests)
		},
		"a good status": func(w http.ResponseWriter, _ *http.Request, said string) {
			w.Header().Set("X-Request-Id", said)
			fmt.Fprintf(w, `{"choices": [{"finish_reason": %q, "message": {"content": null}}]}`, said)
		},
		"no HTTP": func(w http.ResponseWriter, _ *http.Request, said string) {
			conn, _, err := http.NewResponseController(w).Hijack()
			if err == nil {
				_, _ = fmt.Fprintf(conn, "HTTP/1.1 %s\r\n\r\n", said)
				_ = conn.Close()
			}
		},
	}
	for name, answer := range echo {
		for _, apiKey := range []string{key, ""} { // without one, the address's user and password are sent
			t.Run(fmt.Sprintf("%s, key %q", name, apiKey), func(t *testing.T) {
				server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
					_, sent, _ := r.BasicAuth()
					answer(w, r, r.Header.Get("Authorization")+" "+sent+" "+r.URL.String()+" "+r.URL.Query().Get("sig"))
				}))
				defer server.Close()
				address, err := url.Parse(server.URL)
				require.NoError(t, err)
				address.User = url.UserPassword("user", password)
				address.RawQuery = url.Values{"sig": {query}, "api-version": {"2024"}}.Encode()
				c, err := NewClient(ClientConfig{BaseURL: address.String(), APIKey: apiKey})
				require.NoError(t, err)
				defer c.Close()
				_, err = c.Complete(t.Context(), &Call{Model: "m", Messages: []batch.Message{batch.UserMessage("hi")}, KeepRaw: true})
				require.Error(t, err)
				failure := Classify(t.Context(), err)
				said := fmt.Sprintf("%v %+v %#v %s", err, failure, failure.Err, failure.RequestID)
				if failure.Raw != nil {
					said += string(failure.Raw.Body) + failure.Raw.RequestID
				}
				for _, secret := range []string{
					key, password, query, url.QueryEscape(key), url.PathEscape(key), url.QueryEscape(password), url.PathEscape(password),
					url.QueryEscape(query), "dXNlcjp", address.RawQuery, "secret",
				} {
					require.NotContains(t, said, secret)
				}
			})
		}
	}
}

func TestAUserThatStandsAloneIsHiddenAndAPasswordTooShortToBeOneIsNot(t *testing.T) {
	require.Equal(t, "as it is", newSecrets("").text("as it is"))
	hidden := newSecrets("", &url.URL{User: url.User("lonely-token")}, &url.URL{User: url.UserPassword("user", "x")})
	require.Equal(t, "Bearer [redacted], extra of user", hidden.text("Bearer lonely-token, extra of user"))
}
