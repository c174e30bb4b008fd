// Package jsonscan walks through JSON in place, in one pass, and decodes only what it is asked for. It takes nothing that
// encoding/json refuses. What is hardly ever met (escapes in names, nesting of hundreds of levels) it refuses itself: who
// uses it falls back to encoding/json, which also says what is wrong.
package jsonscan

// A Scanner walks through one JSON text. The slices that it returns share the text's memory. Once something is wrong, all
// its methods return nothing.
//
//	s := jsonscan.New(text)
//	for name, ok := s.Object(); ok; name, ok = s.Member() {
//		switch string(name) {
//		case "model":
//			model = s.Value()
//		default:
//			s.Value()
//		}
//	}
//	if !s.End() {
//		// fall back
//	}
type Scanner struct {
	data  []byte
	at    int // bad once something is wrong
	depth int
}

// New returns a scanner of a text.
func New(text []byte) Scanner { return Scanner{data: text, at: skipSpace(text, 0)} }

// Peek returns the first byte of the value that comes next, or 0.
func (s *Scanner) Peek() byte {
	if s.at == bad || s.at >= len(s.data) {
		return 0
	}
	return s.data[s.at]
}

// Rest returns the text from the value that comes next, to its end.
func (s *Scanner) Rest() []byte {
	if s.at == bad {
		return nil
	}
	return s.data[s.at:]
}

// Value returns the value that comes next, without the space around it.
func (s *Scanner) Value() []byte {
	if s.at == bad {
		return nil
	}
	begin := s.at
	end := skipValue(s.data, begin, s.depth)
	if end == bad {
		s.at = bad
		return nil
	}
	s.at = skipSpace(s.data, end)
	return s.data[begin:end:end]
}

// Object enters the object that comes next and returns the name of its first member, whose value then comes next. ok is
// false where there is none. A name with escapes is refused.
func (s *Scanner) Object() (name []byte, ok bool) {
	if !s.enter('{', '}') {
		return nil, false
	}
	return s.name()
}

// Member returns the name of the object's next member. Its value then comes next. ok is false at the object's end.
func (s *Scanner) Member() (name []byte, ok bool) {
	if !s.more('}') {
		return nil, false
	}
	return s.name()
}

// List enters the list that comes next, and tells whether it has a first value, which then comes next.
func (s *Scanner) List() bool { return s.enter('[', ']') }

// Element goes on to the list's next value, and tells whether there is one.
func (s *Scanner) Element() bool { return s.more(']') }

// End tells whether the text was valid and ends here.
func (s *Scanner) End() bool { return s.at == len(s.data) && s.depth == 0 }

func (s *Scanner) enter(begin, end byte) bool {
	if s.Peek() != begin || s.depth == maxDepth {
		s.at = bad
		return false
	}
	s.at = skipSpace(s.data, s.at+1)
	s.depth++
	if s.Peek() == end {
		s.leave()
		return false
	}
	return true
}

func (s *Scanner) more(end byte) bool {
	switch s.Peek() {
	case ',':
		s.at = skipSpace(s.data, s.at+1)
		return true
	case end:
		s.leave()
	default:
		s.at = bad
	}
	return false
}

func (s *Scanner) leave() {
	s.depth--
	s.at = skipSpace(s.data, s.at+1)
}

func (s *Scanner) name() ([]byte, bool) {
	if s.Peek() != '"' {
		s.at = bad
		return nil, false
	}
	begin := s.at
	end, plain := skipString(s.data, begin)
	if !plain {
		s.at = bad
		return nil, false
	}
	if s.at = skipSpace(s.data, end); s.Peek() != ':' {
		s.at = bad
		return nil, false
	}
	s.at = skipSpace(s.data, s.at+1)
	return s.data[begin+1 : end-1 : end-1], true
}
