package llm

import (
	"encoding/json"

	"github.com/gluepipe/gluepipe/stages/internal/jsonscan"
)

// scannedAnswer is a wireAnswer together with what it points to.
type scannedAnswer struct {
	wireAnswer
	choice [1]wireChoice
	usage  wireUsage
}

// scanAnswer reads a chat completion in one pass, as nearly all are: an object with one choice, no error, and each member
// once, of the type that it should have. ok is false where encoding/json has to take a closer look. What it returns shares
// the memory of body.
func scanAnswer(body []byte) (answer *scannedAnswer, ok bool) {
	a := &scannedAnswer{}
	s := answerScanner{Scanner: jsonscan.New(body)}
	if s.answer(a) && s.End() && len(a.Choices) == 1 {
		return a, true
	}
	return nil, false
}

// answerScanner reads the parts of an answer. Its methods return false where they meet something unusual.
type answerScanner struct{ jsonscan.Scanner }

func (s *answerScanner) answer(a *scannedAnswer) bool {
	var seen once
	for name, ok := s.Object(); ok; name, ok = s.Member() {
		var good bool
		switch string(name) {
		case "model":
			good = seen.first(0) && s.text(&a.Model)
		case "choices":
			good = seen.first(1) && s.List() && s.oneChoice(&a.choice[0]) && !s.Element()
			a.Choices = a.choice[:]
		case "usage":
			good = seen.first(2) && s.usage(a)
		case "error":
			good = seen.first(3) && s.blank()
		default:
			good = s.other(name)
		}
		if !good {
			return false
		}
	}
	return true
}

func (s *answerScanner) oneChoice(c *wireChoice) bool {
	var seen once
	for name, ok := s.Object(); ok; name, ok = s.Member() {
		var good bool
		switch string(name) {
		case "message":
			good = seen.first(0) && s.message(&c.Message)
		case "finish_reason":
			good = seen.first(1) && s.text(&c.FinishReason)
		case "error":
			good = seen.first(2) && s.blank()
		default:
			good = s.other(name)
		}
		if !good {
			return false
		}
	}
	return true
}

func (s *answerScanner) message(m *wireMessage) bool {
	if s.Peek() != '{' {
		return false
	}
	begin := s.Rest()
	var seen once
	for name, ok := s.Object(); ok; name, ok = s.Member() {
		var good bool
		switch string(name) {
		case "role":
			good = seen.first(0) && s.role(&m.Role)
		case "content":
			m.Content = s.Value()
			good = seen.first(1) && m.Content != nil
		case "refusal":
			good = seen.first(2) && s.text(&m.Refusal)
		case "tool_calls":
			good = seen.first(3) && s.presence(&m.ToolCalls)
		case "function_call":
			good = seen.first(4) && s.presence(&m.FunctionCall)
		case "audio":
			good = seen.first(5) && s.presence(&m.Audio)
		case "reasoning":
			good = seen.first(6) && s.presence(&m.Reasoning)
		case "reasoning_content":
			good = seen.first(7) && s.presence(&m.ReasoningContent)
		case "reasoning_details":
			good = seen.first(8) && s.presence(&m.ReasoningDetails)
		case "extra_content":
			good = seen.first(9) && s.presence(&m.ExtraContent)
		default:
			good = s.other(name)
		}
		if !good {
			return false
		}
	}
	m.raw = begin[:len(begin)-len(s.Rest())]
	return true
}

func (s *answerScanner) usage(a *scannedAnswer) bool {
	if s.Peek() != '{' {
		return string(s.Value()) == "null"
	}
	a.Usage = &a.usage
	var seen once
	for name, ok := s.Object(); ok; name, ok = s.Member() {
		var good bool
		switch string(name) {
		case "prompt_tokens":
			good = seen.first(0) && s.into(&a.usage.Prompt)
		case "completion_tokens":
			good = seen.first(1) && s.into(&a.usage.Completion)
		case "total_tokens":
			good = seen.first(2) && s.into(&a.usage.Total)
		case "cost":
			good = seen.first(3) && s.into(&a.usage.Cost)
		default:
			good = s.other(name)
		}
		if !good {
			return false
		}
	}
	return true
}

// text reads a text, or null.
func (s *answerScanner) text(to *string) bool {
	raw := s.Value()
	if string(raw) == "null" {
		return true
	}
	var ok bool
	*to, ok = jsonscan.Text(raw)
	return ok
}

// role reads a text that is nearly always the same.
func (s *answerScanner) role(to *string) bool {
	const usual = `"assistant"`
	if rest := s.Rest(); len(rest) > len(usual) && string(rest[:len(usual)]) == usual {
		*to = usual[1 : len(usual)-1]
		return s.Value() != nil
	}
	return s.text(to)
}

func (s *answerScanner) presence(p *presence) bool { return s.into(p) }

func (s *answerScanner) into(to json.Unmarshaler) bool {
	raw := s.Value()
	return raw != nil && to.UnmarshalJSON(raw) == nil
}

// blank reads a member that should say nothing.
func (s *answerScanner) blank() bool {
	raw := s.Value()
	return raw != nil && isBlank(raw)
}

// other skips a member of another name, unless encoding/json could take that name for one of those that are read: it makes no
// difference between upper and lower case.
func (s *answerScanner) other(name []byte) bool {
	for _, c := range name {
		if c >= 0x80 || 'A' <= c && c <= 'Z' {
			return false
		}
	}
	return s.Value() != nil
}

// once remembers which members were there.
type once uint

// first tells whether a member is there for the first time.
func (o *once) first(member int) bool {
	bit := once(1) << member
	first := *o&bit == 0
	*o |= bit
	return first
}
