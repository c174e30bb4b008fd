package llmtest

import (
	"encoding/json"
	"regexp"
	"slices"
	"strings"
	"unicode"
)

// chooseTools returns the calls that the last user message asks for, by the rules in the package's documentation.
func chooseTools(r *Request) []ToolCall {
	named, required, none := readToolChoice(r.ToolChoice)
	if none {
		return nil
	}
	prompt := newPrompt(r.Prompt())
	var calls []ToolCall
	for _, tool := range r.Tools {
		if tool.Name == "" || named != "" && tool.Name != named {
			continue
		}
		parameters := readSchema(tool.Parameters)
		if named != "" || prompt.wants(tool.Name, parameters) {
			calls = append(calls, ToolCall{Name: tool.Name, Arguments: prompt.arguments(parameters)})
		}
	}
	if len(calls) == 0 && required {
		if i := slices.IndexFunc(r.Tools, func(t Tool) bool { return t.Name != "" }); i >= 0 {
			first := r.Tools[i]
			calls = []ToolCall{{Name: first.Name, Arguments: prompt.arguments(readSchema(first.Parameters))}}
		}
	}
	if len(calls) > 1 && r.ParallelToolCalls != nil && !*r.ParallelToolCalls {
		calls = calls[:1]
	}
	return calls
}

// readToolChoice reads "auto", "none", "required", or the one function that must be called.
func readToolChoice(raw json.RawMessage) (named string, required, none bool) {
	var mode string
	if json.Unmarshal(raw, &mode) == nil {
		return "", mode == "required", mode == "none"
	}
	var choice struct {
		Function struct {
			Name string `json:"name"`
		} `json:"function"`
	}
	_ = json.Unmarshal(raw, &choice) // what can't be read is left to the model, as "auto" is
	return choice.Function.Name, false, false
}

// prompt is a message and what it says to tools.
type prompt struct {
	text       string
	words      []string // in lower case
	expression string   // the first arithmetic, or ""
	place      string   // the first place, or ""
}

var (
	number     = `\(*-?\d+(?:\.\d+)?\)*`
	arithmetic = regexp.MustCompile(number + `(?:\s*(?:\*\*|[-+*/%^])\s*` + number + `)+`)
	place      = regexp.MustCompile(`\b[Ii]n ((?:\p{Lu}[\p{L}-]*)(?: \p{Lu}[\p{L}-]*)*)`)
)

func newPrompt(text string) *prompt {
	p := &prompt{text: text, expression: balance(arithmetic.FindString(text))}
	p.words = strings.FieldsFunc(strings.ToLower(text), func(r rune) bool { return !unicode.IsLetter(r) && !unicode.IsDigit(r) })
	if found := place.FindStringSubmatch(text); found != nil {
		p.place = found[1]
	}
	return p
}

// balance drops the brackets at the ends that belong to the sentence around the arithmetic.
func balance(expression string) string {
	for extra := strings.Count(expression, "(") - strings.Count(expression, ")"); extra != 0; {
		if extra > 0 {
			expression, extra = strings.Replace(expression, "(", "", 1), extra-1
		} else {
			last := strings.LastIndexByte(expression, ')')
			expression, extra = expression[:last]+expression[last+1:], extra+1
		}
	}
	return expression
}

func (p *prompt) wants(name string, parameters *schema) bool {
	name = strings.ToLower(name)
	if len(name) < 4 && slices.Contains(p.words, name) {
		return true
	}
	for word := range strings.FieldsFuncSeq(name, func(r rune) bool { return r == '_' || r == '-' }) {
		if len(word) >= 4 && slices.ContainsFunc(p.words, func(w string) bool { return strings.HasPrefix(w, word) }) {
			return true
		}
	}
	if p.expression != "" && slices.Contains(parameters.Required, "expression") {
		return true
	}
	return p.place != "" && (parameters.has("location") || parameters.has("city"))
}
