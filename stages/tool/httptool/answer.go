package httptool

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"strings"
	"unicode/utf8"

	"github.com/gluepipe/gluepipe/stages/tool"
)

const (
	maxExcerpt = 2 << 10 // bytes of a failure's body that the model is given
	// countFactor times MaxOutput is read of a body, to know how long it is.
	countFactor = 4
)

// read makes the model's answer of a response.
func (r *requester) read(resp *http.Response) (string, error) {
	limit := r.maxOutput
	bad := resp.StatusCode < 200 || resp.StatusCode > 299
	if bad {
		limit = min(limit, maxExcerpt)
	}
	body, err := io.ReadAll(io.LimitReader(resp.Body, limit+1))
	if err != nil {
		return "", fmt.Errorf("%s: the answer broke off after %d bytes: %w", r.target.origin(), len(body), withoutURL(err))
	}
	cut := int64(len(body)) > limit
	if cut {
		body = body[:limit]
	}
	text := isText(resp.Header.Get("Content-Type"), body, cut)
	switch {
	case bad && text && len(bytes.TrimSpace(body)) > 0:
		return "", fmt.Errorf("HTTP %d: %s", resp.StatusCode, excerpt(body, cut))
	case bad:
		return "", errors.New("HTTP " + resp.Status)
	case len(body) == 0:
		return "HTTP " + resp.Status, nil
	case !text && !cut:
		return describe(resp, int64(len(body))), nil
	case !text:
		return describe(resp, whole(resp, limit)), nil
	case cut:
		return string(body), &tool.CutError{Size: whole(resp, limit)}
	}
	return string(body), nil
}

// whole is how long a body is of which one byte more than limit has been read, as far as that can be known at little cost;
// else 0.
func whole(resp *http.Response, limit int64) int64 {
	if resp.ContentLength > 0 {
		return resp.ContentLength
	}
	n, err := io.CopyN(io.Discard, resp.Body, limit*(countFactor-1))
	if err != io.EOF {
		return 0
	}
	return limit + 1 + n
}

// describe tells of a body that no model can read.
func describe(resp *http.Response, size int64) string {
	kind, _, _ := mime.ParseMediaType(resp.Header.Get("Content-Type"))
	length := "of unknown size"
	if size > 0 {
		length = fmt.Sprintf("%d bytes", size)
	}
	return fmt.Sprintf("[%s, %s; it can't be shown here]", cmp.Or(kind, "data of an unknown type"), length)
}

// isText tells whether a model can read a body: by its type or, where that says little, by what it looks like.
func isText(contentType string, body []byte, cut bool) bool {
	kind, _, _ := mime.ParseMediaType(contentType)
	family, name, _ := strings.Cut(kind, "/")
	switch {
	case family == "text":
		return true
	case family == "application" && textual(name):
		return true
	case family == "image" || family == "audio" || family == "video" || family == "font":
		return name == "svg+xml"
	}
	if cut { // in the middle of a character, perhaps
		body = body[:max(0, len(body)-utf8.UTFMax)]
	}
	return utf8.Valid(body) && !bytes.ContainsRune(body, 0)
}

func textual(name string) bool {
	for _, kind := range []string{"json", "xml", "yaml", "javascript", "ndjson", "toml", "graphql", "x-www-form-urlencoded"} {
		if name == kind || strings.HasSuffix(name, "+"+kind) || name == "x-"+kind {
			return true
		}
	}
	return false
}

func excerpt(body []byte, cut bool) string {
	text := strings.ToValidUTF8(string(body), "")
	if cut {
		text += "..."
	}
	return strings.TrimSpace(text)
}
