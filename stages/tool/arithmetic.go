package tool

import (
	"errors"
	"fmt"
	"math"
	"math/big"
	"strings"

	"github.com/expr-lang/expr/ast"
)

// evaluator computes the value of a parsed expression. It knows the nodes of arithmetic and refuses all others, so that
// nothing of the expression language but its grammar is in reach: no loops, no ranges, no strings.
type evaluator struct{ source string }

var (
	errDivision = errors.New("division by zero")
	errTooLarge = errors.New("the number is too large")
	errNoNumber = errors.New("the result is not a real number")
)

func (e *evaluator) evaluate(node ast.Node) (*big.Rat, error) {
	switch node := node.(type) {
	case *ast.IntegerNode:
		return new(big.Rat).SetInt64(int64(node.Value)), nil
	case *ast.FloatNode:
		return e.literal(node)
	case *ast.IdentifierNode:
		return constant(node.Value)
	case *ast.UnaryNode:
		return e.unary(node)
	case *ast.BinaryNode:
		return e.binary(node)
	case *ast.BuiltinNode:
		return e.call(node.Name, node.Arguments)
	case *ast.CallNode:
		if callee, ok := node.Callee.(*ast.IdentifierNode); ok {
			return e.call(callee.Value, node.Arguments)
		}
	}
	return nil, errors.New("only arithmetic is understood: numbers, + - * / % ^, parentheses and functions")
}

// literal reads the number as it is written: the node's float64 has lost digits.
func (e *evaluator) literal(node *ast.FloatNode) (*big.Rat, error) {
	at := node.Location()
	written := strings.ReplaceAll(e.source[at.From:at.To], "_", "")
	number, ok := new(big.Rat).SetString(written)
	if !ok {
		return fromFloat(node.Value)
	}
	return bounded(number)
}

func constant(name string) (*big.Rat, error) {
	switch strings.ToLower(name) {
	case "pi":
		return fromFloat(math.Pi)
	case "e":
		return fromFloat(math.E)
	}
	return nil, fmt.Errorf("unknown name %q; the constants are pi and e", name)
}

func (e *evaluator) unary(node *ast.UnaryNode) (*big.Rat, error) {
	x, err := e.evaluate(node.Node)
	if err != nil {
		return nil, err
	}
	switch node.Operator {
	case "-":
		return new(big.Rat).Neg(x), nil
	case "+":
		return x, nil
	}
	return nil, unknownOperator(node.Operator)
}

func (e *evaluator) binary(node *ast.BinaryNode) (*big.Rat, error) {
	x, err := e.evaluate(node.Left)
	if err != nil {
		return nil, err
	}
	y, err := e.evaluate(node.Right)
	if err != nil {
		return nil, err
	}
	switch node.Operator {
	case "+":
		return bounded(new(big.Rat).Add(x, y))
	case "-":
		return bounded(new(big.Rat).Sub(x, y))
	case "*":
		return bounded(new(big.Rat).Mul(x, y))
	case "/":
		if y.Sign() == 0 {
			return nil, errDivision
		}
		return bounded(new(big.Rat).Quo(x, y))
	case "%":
		return remainder(x, y)
	case "^", "**":
		return power(x, y)
	}
	return nil, unknownOperator(node.Operator)
}

func unknownOperator(operator string) error {
	return fmt.Errorf("the operator %q is not arithmetic; there are + - * / %% ^", operator)
}

func remainder(x, y *big.Rat) (*big.Rat, error) {
	if y.Sign() == 0 {
		return nil, errDivision
	}
	whole := truncate(new(big.Rat).Quo(x, y))
	return bounded(whole.Sub(x, whole.Mul(whole, y)))
}

// maxBits is how long a numerator or denominator may get before the number is rounded to a float64. No whole number below
// the largest float64 is that long.
const maxBits = 4096

func bits(x *big.Rat) int { return max(x.Num().BitLen(), x.Denom().BitLen()) }

// bounded keeps numbers small enough to compute with, whatever the expression.
func bounded(x *big.Rat) (*big.Rat, error) {
	f, _ := x.Float64()
	switch {
	case math.IsInf(f, 0):
		return nil, errTooLarge
	case bits(x) > maxBits:
		return x.SetFloat64(f), nil
	}
	return x, nil
}

// fromFloat takes the result of a float64 function.
func fromFloat(f float64) (*big.Rat, error) {
	switch {
	case math.IsNaN(f):
		return nil, errNoNumber
	case math.IsInf(f, 0):
		return nil, errTooLarge
	}
	// The last bits of such a number are noise: 8^(1/3) is 2, log10(1000) is 3.
	const noise, large = 4e-16, 1e12
	if whole := math.Round(f); math.Abs(f) < large && math.Abs(f-whole) <= noise*math.Abs(f) {
		f = whole
	}
	return new(big.Rat).SetFloat64(f), nil
}

// power is exact for whole exponents as long as the numbers stay short, else a float64.
func power(x, y *big.Rat) (*big.Rat, error) {
	if x.Sign() == 0 && y.Sign() < 0 {
		return nil, errDivision
	}
	exponent := new(big.Int).Abs(y.Num())
	if !y.IsInt() || !exponent.IsInt64() || exponent.Int64() > maxBits || int(exponent.Int64())*bits(x) > 2*maxBits {
		base, _ := x.Float64()
		to, _ := y.Float64()
		return fromFloat(math.Pow(base, to))
	}
	numerator := new(big.Int).Exp(x.Num(), exponent, nil)
	denominator := new(big.Int).Exp(x.Denom(), exponent, nil)
	if y.Sign() < 0 {
		numerator, denominator = denominator, numerator
	}
	return bounded(new(big.Rat).SetFrac(numerator, denominator))
}
