package llm

import (
	"bytes"
	"cmp"
	"encoding/json"
	"html"
	"net/http"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"
)

// providerError is what an error's body says, in whichever shape the provider writes it.
type providerError struct {
	message string
	kind    string // "type"
	code    string // "code", where it is a name
	inner   string // Azure's innererror.code
	param   string
	status  int // "code", where it is an HTTP status
	// retryDelay is Google's RetryInfo, which comes in the body instead of a header.
	retryDelay time.Duration
	headers    http.Header // OpenRouter's metadata.headers, those of the provider behind it among them
}

// parseErrorBody reads {"error": {...}}, {"error": "text", "code": ...}, {"message": ...}, {"detail": ...}, and a list of
// one of these. ok is false where the body holds no error in any of these shapes.
func parseErrorBody(body []byte) (p providerError, ok bool) {
	body = bytes.TrimSpace(body)
	var list []json.RawMessage
	if json.Unmarshal(body, &list) == nil && len(list) > 0 {
		body = list[0]
	}
	var outer map[string]json.RawMessage
	if json.Unmarshal(body, &outer) != nil || outer == nil {
		return p, false
	}
	if raw := outer["error"]; !isBlank(raw) {
		var inner map[string]json.RawMessage
		if json.Unmarshal(raw, &inner) == nil {
			p.read(inner)
			return p, true
		}
		p.read(outer)
		p.message = plain(raw)
		return p, true
	}
	if isBlank(outer["message"]) {
		outer["message"] = outer["detail"]
	}
	if isBlank(outer["message"]) {
		return p, false
	}
	p.read(outer)
	return p, true
}

func (p *providerError) read(members map[string]json.RawMessage) {
	p.message, p.kind, p.param = plain(members["message"]), plain(members["type"]), plain(members["param"])
	p.code = plain(members["code"])
	if n, err := strconv.Atoi(p.code); err == nil && p.setStatus(n) {
		p.code = ""
	}
	if p.code == "" && p.kind == "" {
		p.code = plain(members["status"]) // Google's name of the status
	}
	var inner struct {
		Code string `json:"code"`
	}
	if json.Unmarshal(members["innererror"], &inner) == nil {
		p.inner = inner.Code
	}
	var metadata struct {
		Headers map[string]any `json:"headers"`
	}
	if json.Unmarshal(members["metadata"], &metadata) == nil && len(metadata.Headers) > 0 {
		p.headers = headerOf(metadata.Headers)
	}
	var details []struct {
		RetryDelay string `json:"retryDelay"`
	}
	if json.Unmarshal(members["details"], &details) == nil {
		for _, d := range details {
			p.retryDelay = max(p.retryDelay, parseWait(d.RetryDelay, time.Time{}))
		}
	}
}

// setStatus takes a numeric code where it is the status of an error.
func (p *providerError) setStatus(code int) bool {
	if code < 400 || code >= 600 {
		return false
	}
	p.status = code
	return true
}

// isBlank says that a member is missing or says nothing.
func isBlank(raw json.RawMessage) bool {
	switch string(raw) {
	case "", "null", `""`, "false":
		return true
	}
	empty := raw[0] == '{' || raw[0] == '['
	return empty && len(bytes.TrimSpace(raw[1:len(raw)-1])) == 0
}

// plain returns the text of a JSON string, the texts of a list, and any other value as it stands.
func plain(raw json.RawMessage) string {
	if isBlank(raw) {
		return ""
	}
	var text string
	if json.Unmarshal(raw, &text) == nil {
		return text
	}
	var texts []string
	if json.Unmarshal(raw, &texts) == nil {
		return strings.Join(texts, ", ")
	}
	return string(raw)
}

// readable makes something short to read from a body that is not JSON.
func readable(body []byte) string {
	text := strings.ToValidUTF8(string(body[:min(len(body), 64<<10)]), "\uFFFD")
	if strings.HasPrefix(strings.TrimSpace(text), "<") {
		text = html.UnescapeString(cmp.Or(strings.TrimSpace(htmlTitle(text)), htmlText(text)))
	}
	return shorten(text, 200)
}

func htmlTitle(page string) string {
	_, rest, _ := strings.Cut(page, "<title")
	_, rest, _ = strings.Cut(rest, ">")
	title, _, _ := strings.Cut(rest, "<")
	return title
}

// htmlText returns what stands between a page's elements, but for scripts and styles. It takes linear time, whatever a
// server sends.
func htmlText(page string) string {
	var text strings.Builder
	for {
		before, rest, found := strings.Cut(page, "<")
		text.WriteString(before + " ")
		if !found {
			return text.String()
		}
		element, after, _ := strings.Cut(rest, ">")
		for _, hidden := range [...]string{"script", "style"} {
			if strings.HasPrefix(element, hidden) {
				_, after, _ = strings.Cut(after, "</"+hidden+">")
			}
		}
		page = after
	}
}

// shorten puts a text on one line of at most limit bytes and the dots, without what would control a terminal.
func shorten(text string, limit int) string {
	hidden := func(r rune) bool { return unicode.IsSpace(r) || unicode.IsControl(r) }
	return clip(strings.Join(strings.FieldsFunc(text, hidden), " "), limit)
}

func clip(text string, limit int) string {
	if len(text) <= limit {
		return text
	}
	for limit > 0 && !utf8.RuneStart(text[limit]) {
		limit--
	}
	return text[:limit] + "..."
}
