package h1

import (
	"bytes"
	"net/http"
	"net/textproto"
	"strconv"
	"strings"
)

var headEnd = []byte("\r\n\r\n")

// parseHead reads the head of a common answer at the start of b: HTTP/1.1, a final status, a body of known length, and
// headers in printable ASCII that [http.ReadResponse] would take as they are. It returns the length of the head, or nil
// where anything is uncommon, wrong, or not there yet: that is for http.ReadResponse to judge.
func parseHead(b []byte, req *http.Request) (resp *http.Response, n int) {
	end := bytes.Index(b, headEnd)
	if end < 0 {
		return nil, 0
	}
	head := string(b[:end+2]) // one for all its parts: they live and die together
	status, lines, _ := strings.Cut(head, "\r\n")
	code, ok := parseStatus(status)
	if !ok {
		return nil, 0
	}
	header, length, ok := parseHeader(lines)
	if !ok {
		return nil, 0
	}
	return &http.Response{
		Status: status[len("HTTP/1.1 "):], StatusCode: code, Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
		Header: header, ContentLength: length, Request: req,
	}, end + len(headEnd)
}

// parseStatus reads a line such as "HTTP/1.1 200 OK". A status that has no body by its nature is uncommon.
func parseStatus(line string) (code int, ok bool) {
	const prefix = "HTTP/1.1 "
	if len(line) < len(prefix)+4 || line[:len(prefix)] != prefix || line[len(prefix)+3] != ' ' || !printable(line) ||
		line[len(line)-1] == ' ' {
		return 0, false
	}
	digits := line[len(prefix) : len(prefix)+3]
	if digits[0] < '2' || digits[0] > '9' || !isDigit(digits[1]) || !isDigit(digits[2]) {
		return 0, false
	}
	code = int(digits[0]-'0')*100 + int(digits[1]-'0')*10 + int(digits[2]-'0')
	return code, code != http.StatusNoContent && code != http.StatusNotModified
}

// parseHeader reads lines that each end in CRLF.
func parseHeader(lines string) (header http.Header, length int64, ok bool) {
	count := strings.Count(lines, "\n")
	header = make(http.Header, count)
	values := make([]string, 0, count) // one array for all
	length = -1
	for lines != "" {
		var line string
		line, lines, _ = strings.Cut(lines, "\r\n")
		name, value, found := strings.Cut(line, ":")
		if !found || !isToken(name) || !printable(value) {
			return nil, 0, false
		}
		name, value = textproto.CanonicalMIMEHeaderKey(name), strings.Trim(value, " ")
		switch name {
		case "Content-Length":
			if length >= 0 {
				return nil, 0, false
			}
			if length, ok = parseLength(value); !ok {
				return nil, 0, false
			}
		case "Connection":
			if !strings.EqualFold(value, "keep-alive") {
				return nil, 0, false
			}
		case "Transfer-Encoding", "Trailer", "Pragma":
			return nil, 0, false
		}
		if before := header[name]; before != nil {
			header[name] = append(before, value)
			continue
		}
		values = append(values, value)
		header[name] = values[len(values)-1 : len(values) : len(values)]
	}
	return header, length, length >= 0
}

func parseLength(value string) (int64, bool) {
	for i := range len(value) {
		if !isDigit(value[i]) {
			return 0, false
		}
	}
	n, err := strconv.ParseInt(value, 10, 64)
	return n, err == nil
}

func printable(s string) bool {
	for i := range len(s) {
		if s[i] < ' ' || s[i] > '~' {
			return false
		}
	}
	return true
}

// isToken accepts the names that servers use. There are stranger ones.
func isToken(s string) bool {
	for i := range len(s) {
		if b := s[i]; !isLetter(b) && !isDigit(b) && b != '-' && b != '_' {
			return false
		}
	}
	return s != ""
}
