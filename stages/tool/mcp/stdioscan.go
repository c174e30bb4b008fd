package mcp

// maxID bounds the id that is remembered of a message. Ours are short numbers.
const maxID = 64

// idScanner finds the id of a JSON-RPC message that is written to it piece by piece, in constant memory, wherever among the
// members of the outermost object it stands.
type idScanner struct {
	depth     int
	inString  bool
	escaped   bool
	inValue   bool // after the colon of a member
	key       []byte
	id        []byte
	isMessage bool // it says that it is JSON-RPC; a line of a log may have an id, too
	isRequest bool // it has a method: its id is the server's, and none of ours
}

func (s *idScanner) write(piece []byte) {
	for _, c := range piece {
		s.step(c)
	}
}

func (s *idScanner) step(c byte) {
	if s.inString {
		s.inside(c)
		return
	}
	switch c {
	case ' ', '\t', '\r', '\n':
		return
	case '}', ']':
		s.depth--
		return
	case ',':
		if s.depth == 1 {
			s.inValue, s.key = false, s.key[:0]
		}
		return
	case ':':
		if s.depth == 1 && !s.inValue {
			s.inValue = true
			s.isMessage = s.isMessage || string(s.key) == `"jsonrpc"`
			s.isRequest = s.isRequest || string(s.key) == `"method"`
		}
		return
	}
	s.keep(c)
	switch c {
	case '"':
		s.inString = true
	case '{', '[':
		s.depth++
	}
}

// inside takes a byte of a string.
func (s *idScanner) inside(c byte) {
	s.keep(c)
	switch {
	case s.escaped:
		s.escaped = false
	case c == '\\':
		s.escaped = true
	case c == '"':
		s.inString = false
	}
}

// keep remembers a byte of a member's name, or of the id.
func (s *idScanner) keep(c byte) {
	switch {
	case s.depth != 1:
	case !s.inValue:
		if len(s.key) < maxID {
			s.key = append(s.key, c)
		}
	case string(s.key) == `"id"` && len(s.id) < maxID:
		s.id = append(s.id, c)
	}
}

// answers returns the id of our call that the message answers, as JSON, or "".
func (s *idScanner) answers() string {
	if !s.isMessage || s.isRequest {
		return ""
	}
	return string(s.id)
}
