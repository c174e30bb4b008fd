package llm

import (
	"cmp"
	"encoding/base64"
	"errors"
	"net/http"
	"net/url"
	"os"
	"regexp"
	"slices"
	"strings"
)

const redacted = "[redacted]"

// secrets is what a client sends and no message may repeat, where servers and proxies like to: its key, and what stands in
// the addresses. The zero value hides nothing.
type secrets struct{ replacer *strings.Replacer }

func newSecrets(key string, addresses ...*url.URL) secrets {
	values := []string{key}
	for _, u := range addresses {
		values = append(values, inAddress(u)...)
	}
	var forms []string
	for _, value := range values {
		if value != "" {
			// Some JSON encoders escape slashes.
			forms = append(forms, value, strings.ReplaceAll(value, "/", `\/`), url.QueryEscape(value), url.PathEscape(value))
		}
	}
	if len(forms) == 0 {
		return secrets{}
	}
	slices.SortFunc(forms, func(a, b string) int { return cmp.Or(len(b)-len(a), cmp.Compare(a, b)) }) // the whole before its parts
	var pairs []string
	for _, form := range slices.Compact(forms) {
		pairs = append(pairs, form, redacted)
	}
	return secrets{strings.NewReplacer(pairs...)}
}

// minSecret keeps what is too short to be one, such as a password "x", from making holes in every message.
const minSecret = 4

var secretName = regexp.MustCompile(`(?i)key|token|secret|sig|pass|auth|cred|code`)

// inAddress returns what is secret in a URL: a password, a user that stands alone, the query, and those of its values that
// look it.
func inAddress(u *url.URL) (values []string) {
	if u == nil {
		return nil
	}
	if u.User != nil {
		password, _ := u.User.Password()
		values = append(values, password, u.User.String(),
			base64.StdEncoding.EncodeToString([]byte(u.User.Username()+":"+password))) // as it is sent
		if password == "" {
			values = append(values, u.User.Username())
		}
	}
	values = append(values, u.RawQuery)
	for name, those := range u.Query() {
		if secretName.MatchString(name) {
			values = append(values, those...)
		}
	}
	return slices.DeleteFunc(values, func(value string) bool { return len(value) < minSecret })
}

// proxies returns the proxies that the environment names. What is no URL is left to the transport.
func proxies() (addresses []*url.URL) {
	for _, name := range [...]string{"HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"} {
		for _, name := range [...]string{name, strings.ToLower(name)} {
			address := os.Getenv(name)
			if address != "" && !strings.Contains(address, "://") {
				address = "http://" + address
			}
			if u, err := url.Parse(address); err == nil && address != "" {
				addresses = append(addresses, u)
			}
		}
	}
	return addresses
}

// text takes the secrets out of a text.
func (s secrets) text(text string) string {
	if s.replacer == nil {
		return text
	}
	return s.replacer.Replace(text)
}

// body takes the secrets out of an answer, and leaves it as it is where there are none.
func (s secrets) body(body []byte) []byte {
	if hidden := s.text(string(body)); hidden != string(body) {
		return []byte(hidden)
	}
	return body
}

// error cuts an error off from its chain where its text holds a secret.
func (s secrets) error(err error) error {
	if text := err.Error(); s.text(text) != text {
		return errors.New(s.text(text))
	}
	return err
}

// errorBody finds what the JSON had escaped.
func (s secrets) errorBody(p *providerError) {
	for _, text := range [...]*string{&p.message, &p.kind, &p.code, &p.inner, &p.param} {
		*text = s.text(*text)
	}
}

// requestIDs takes the secrets out of the only headers of an answer that are shown.
func (s secrets) requestIDs(h http.Header) {
	for _, name := range [...]string{"X-Request-Id", "Request-Id", "Apim-Request-Id"} {
		if id := headerValue(h, name); id != "" && s.text(id) != id {
			h.Set(name, s.text(id))
		}
	}
}
