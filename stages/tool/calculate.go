package tool

import (
	"context"
	"errors"
	"fmt"
	"math"
	"math/big"
	"regexp"
	"strconv"
	"strings"

	"github.com/expr-lang/expr/file"
	"github.com/expr-lang/expr/parser"

	"github.com/gluepipe/gluepipe/stages/batch"
)

// maxExpression bounds an expression's length in bytes, and with it the work that evaluating it takes.
const maxExpression = 1000

// Calculate returns the built-in tool "calculate", which answers what an arithmetic expression comes to, as a number alone:
// 56088 for "123 * 456".
//
// It knows + - * / % (the remainder has the dividend's sign), ^ and ** for powers, parentheses, pi, e, and the functions
// that its description names. Whole numbers and fractions are exact, so 0.1 + 0.2 is 0.3; roots, logarithms and the like
// are float64, and so is what is printed of a fraction. An expression has at most 1000 bytes; numbers stay below 1.8e308.
func Calculate() batch.Tool {
	type arguments struct {
		Expression string `json:"expression" jsonschema_description:"such as 123 * 456, or sqrt(2) ^ 3 / 7"`
	}
	tool := New("calculate", description(),
		func(_ context.Context, a arguments) (string, error) { return calculate(a.Expression) })
	tool.ReadOnly = true
	return tool
}

func description() string {
	return "Evaluates an arithmetic expression and answers the number. Operators: + - * / % ^ and parentheses. " +
		"Constants: pi, e. Functions: " + functionNames() +
		". Angles are in radians, log is the natural logarithm, round takes the number of decimals as a second argument."
}

// signs are what people and models write for operators.
var signs = strings.NewReplacer("×", "*", "·", "*", "÷", "/", "−", "-", "–", "-")

var word = regexp.MustCompile(`[\w.]+`)

// widen has the parser take a long whole number as a float, since it stops at int64. The evaluator reads the digits.
func widen(word string) string {
	if len(word) > 18 && strings.Trim(word, "0123456789_") == "" {
		return word + "."
	}
	return word
}

func calculate(expression string) (string, error) {
	if len(expression) > maxExpression {
		return "", fmt.Errorf("the expression has %d bytes, at most %d are allowed", len(expression), maxExpression)
	}
	source := word.ReplaceAllStringFunc(signs.Replace(expression), widen)
	if err := checkSource(source); err != nil {
		return "", err
	}
	tree, err := parser.Parse(source)
	if err != nil {
		return "", parseError(err)
	}
	number, err := (&evaluator{source: source}).evaluate(tree.Node)
	if err != nil {
		return "", err
	}
	return format(number), nil
}

// checkSource refuses what the parser would skip without a word (comments) or make something else of than was meant.
func checkSource(source string) error {
	switch {
	case strings.TrimSpace(source) == "":
		return errors.New("the expression is empty")
	case strings.Contains(source, "//"), strings.Contains(source, "/*"):
		return errors.New("// and /* are not operators; for a whole quotient write floor(a / b)")
	}
	// With ASCII alone, the parser's positions are positions in the text.
	if i := strings.IndexFunc(source, func(r rune) bool { return r > 127 }); i >= 0 {
		return fmt.Errorf("unexpected %q", []rune(source[i:])[0])
	}
	return nil
}

func parseError(err error) error {
	e, ok := errors.AsType[*file.Error](err)
	if !ok {
		return err
	}
	if strings.HasSuffix(e.Message, strconv.ErrRange.Error()) { // of a number as it stands in the expression
		return errTooLarge
	}
	return fmt.Errorf("at column %d: %s", e.Column+1, e.Message)
}

// format writes a whole number with all its digits, and any other as the shortest text that gives the same float64.
func format(number *big.Rat) string {
	if number.IsInt() {
		return number.Num().String()
	}
	f, _ := number.Float64()
	if size := math.Abs(f); size < 1e-6 || size >= 1e21 {
		return strconv.FormatFloat(f, 'e', -1, 64)
	}
	return strconv.FormatFloat(f, 'f', -1, 64)
}
