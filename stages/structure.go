package stages

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/santhosh-tekuri/jsonschema/v6"

	"github.com/gluepipe/gluepipe/stages/batch"
	"github.com/gluepipe/gluepipe/stages/internal/jsonappend"
	jsonschemas "github.com/gluepipe/gluepipe/stages/internal/schema"
	"github.com/gluepipe/gluepipe/stages/llm"
)

// structure reads the structured output out of a final answer. again says that the model was told what is wrong with it, and
// is to be asked again.
func (e *Executor) structure(ctx context.Context, item *batch.Item, answer *llm.Answer) (again bool, err error) {
	r := item.Result
	r.Response = answer.Text
	output, wrong := item.Structure(answer.Text)
	switch {
	case wrong == nil:
		r.StructuredOutput, r.Success = output, true
		return false, nil
	case answer.FinishReason == "length": // allowed to be cut, and of no use so
		return false, failure(batch.ErrTruncated, "the answer was cut at its token limit (finish_reason length): %w", wrong)
	case item.Repairs >= e.config.MaxRepairs:
		return false, failure(batch.ErrStructuredOutput, "the answer breaks its schema: %w", wrong)
	case ctx.Err() != nil:
		return false, context.Cause(ctx)
	case e.overdue(item, 0):
		return false, e.timedOut(item)
	}
	item.Repairs++
	request := item.Effective
	request.Messages = append(request.Messages, answer.Message, batch.UserMessage(
		"Your answer doesn't follow the JSON schema: "+wrong.Error()+". Answer again, with the whole JSON and nothing else."))
	return true, nil
}

var errNoJSON = errors.New("there is no JSON in it")

// read returns the JSON in an answer's text that follows the schema, compacted: the text itself, what stands between fences,
// or the first object or list among other words, in this order. Its error says what is wrong with the longest there is.
func (s *Schema) read(text string) (json.RawMessage, error) {
	if end := strings.LastIndex(text, "</think>"); end >= 0 { // what some models think aloud
		text = text[end+len("</think>"):]
	}
	text = strings.TrimSpace(text)
	longest, wrong := 0, errNoJSON
	for candidate := range candidates(text) {
		doc, err := jsonschema.UnmarshalJSON(strings.NewReader(candidate))
		if err != nil {
			if wrong == errNoJSON && candidate != "" && (candidate[0] == '{' || candidate[0] == '[') {
				wrong = fmt.Errorf("it is not JSON: %w", err)
			}
			continue
		}
		if err := s.check(candidate, doc); err != nil {
			if len(candidate) > longest {
				longest, wrong = len(candidate), err
			}
			continue
		}
		return jsonappend.Raw(nil, []byte(candidate))
	}
	return nil, brief(wrong)
}

func (s *Schema) check(text string, doc any) error {
	if err := checkNumbers(doc); err != nil {
		return err
	}
	if err := checkNames(text); err != nil {
		return err
	}
	if err := s.compiled.Validate(doc); err != nil {
		return jsonschemas.Explain(err)
	}
	return nil
}

// candidates yields the parts of a text that may be the answer's JSON.
func candidates(text string) iter.Seq[string] {
	return func(yield func(string) bool) {
		if !yield(text) {
			return
		}
		for rest := text; ; {
			_, block, found := strings.Cut(rest, "```")
			if !found {
				break
			}
			block, rest, _ = strings.Cut(block, "```")
			if language, code, found := strings.Cut(block, "\n"); found && !strings.ContainsAny(language, `{["`) {
				block = code
			}
			if !yield(strings.TrimSpace(block)) {
				return
			}
		}
		const mostTries = 100 // each may take as long as the text
		for range mostTries {
			start := strings.IndexAny(text, "{[")
			if start < 0 {
				return
			}
			text = text[start:]
			var value json.RawMessage
			if json.NewDecoder(strings.NewReader(text)).Decode(&value) != nil {
				text = text[1:]
				continue
			}
			if !yield(text[:len(value)]) {
				return
			}
			text = text[len(value):]
		}
	}
}

// checkNumbers refuses numbers that no float64 holds, which nobody could read.
func checkNumbers(doc any) error {
	switch doc := doc.(type) {
	case json.Number:
		if _, err := strconv.ParseFloat(doc.String(), 64); err != nil {
			return fmt.Errorf("the number %.40s is too large", doc.String())
		}
	case map[string]any:
		for _, value := range doc {
			if err := checkNumbers(value); err != nil {
				return err
			}
		}
	case []any:
		for _, value := range doc {
			if err := checkNumbers(value); err != nil {
				return err
			}
		}
	}
	return nil
}

// checkNames refuses objects that have a member twice: readers differ in which of the two they take, so that not all would
// read what was checked. text is JSON.
func checkNames(text string) error {
	type level struct {
		names map[string]bool // nil: a list
		value bool            // a value is next
	}
	var levels []*level
	dec := json.NewDecoder(strings.NewReader(text))
	dec.UseNumber()
	for {
		token, err := dec.Token()
		if err != nil {
			return nil
		}
		var inside *level
		if len(levels) > 0 {
			inside = levels[len(levels)-1]
		}
		if name, ok := token.(string); ok && inside != nil && inside.names != nil && !inside.value {
			if inside.names[name] {
				return fmt.Errorf("the property %q is there twice", name)
			}
			inside.names[name], inside.value = true, true
			continue
		}
		if token == json.Delim('}') || token == json.Delim(']') {
			levels = levels[:len(levels)-1]
			continue
		}
		if inside != nil {
			inside.value = false
		}
		switch token {
		case json.Delim('{'):
			levels = append(levels, &level{names: make(map[string]bool)})
		case json.Delim('['):
			levels = append(levels, &level{})
		}
	}
}

// brief bounds what a model is told, and what an error says.
func brief(err error) error {
	const most = 1000
	text := err.Error()
	if len(text) <= most {
		return err
	}
	end := most
	for !utf8.RuneStart(text[end]) {
		end--
	}
	return errors.New(text[:end] + "...")
}
