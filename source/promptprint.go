package source

import (
	"fmt"
	"strings"
)

// print returns the values' texts, one behind the other.
func (p *prompt) print(values ...any) (string, error) { return p.join("", values) }

// println returns the values' texts with spaces between them, and a line's end.
func (p *prompt) println(values ...any) (string, error) {
	text, err := p.join(" ", values)
	return text + "\n", err
}

func (p *prompt) join(separator string, values []any) (string, error) {
	texts := make([]string, len(values))
	length := 0
	for i, value := range values {
		var err error
		if texts[i], err = p.text(value); err != nil {
			return "", err
		}
		if length += len(separator) + len(texts[i]); length > maxPromptBytes {
			return "", errLongPrompt
		}
	}
	return strings.Join(texts, separator), nil
}

// printf is fmt.Sprintf for the values of a row: %s and %v take any, the verbs of numbers also a number that came as a text.
// A format that doesn't fit the values is an error.
func (p *prompt) printf(format string, values ...any) (string, error) {
	f := &promptFormat{prompt: p, room: maxPromptBytes - len(format)}
	args, anything := make([]any, len(values)), make([]any, len(values))
	for i, value := range values {
		args[i], anything[i] = promptArg{f, value}, formatProbe{}
	}
	// What fmt prints for a mistake can't be told from a text that has the same, so it is looked for where there is none.
	if probe := fmt.Sprintf(format, anything...); !strings.Contains(format, "%!") {
		if _, mistake, found := strings.Cut(probe, "%!"); found {
			return "", fmt.Errorf("the format doesn't fit the values: %%!%s", shortened(mistake))
		}
	}
	text := fmt.Sprintf(format, args...)
	if f.err != nil {
		return "", f.err
	}
	return bounded(text)
}

// formatProbe is a value that fits every verb.
type formatProbe struct{}

func (formatProbe) Format(state fmt.State, _ rune) { fmt.Fprint(state, "x") }

// promptFormat is one call of printf.
type promptFormat struct {
	prompt *prompt
	room   int   // for bytes still
	err    error // the first
}

// promptArg is a value that printf prints.
type promptArg struct {
	*promptFormat
	value any
}

// Format prints the value as the verb says.
func (a promptArg) Format(state fmt.State, verb rune) {
	if a.err != nil {
		return
	}
	text, err := a.prompt.text(a.value)
	if err != nil {
		a.err = err
		return
	}
	var arg any = text
	switch verb {
	case 'd', 'b', 'o', 'x', 'X', 'c':
		if n, whole := parseWhole(text); whole {
			arg = n
		} else if verb != 'x' && verb != 'X' {
			a.err = fmt.Errorf("%%%c: want a whole number, got %q", verb, shortened(text))
			return
		}
	case 'e', 'E', 'f', 'F', 'g', 'G':
		number, err := parseNumber(text)
		if err != nil {
			a.err = fmt.Errorf("%%%c: %w", verb, err)
			return
		}
		arg = number
	case 't':
		arg = text == "true"
	case 's', 'v', 'q':
	default:
		a.err = fmt.Errorf("there is no %%%c", verb)
		return
	}
	width, _ := state.Width()
	precision, _ := state.Precision()
	if a.room -= max(2*len(text), width, precision); a.room < 0 { // %x prints twice the length
		a.err = errLongPrompt
		return
	}
	fmt.Fprintf(state, fmt.FormatString(state, verb), arg)
}
