package tool

import (
	"fmt"
	"maps"
	"math"
	"math/big"
	"slices"
	"strings"

	"github.com/expr-lang/expr/ast"
)

// function is one that an expression may call, with the least and most arguments it takes.
type function struct {
	least, most int
	apply       func(args []*big.Rat) (*big.Rat, error)
}

var functions = map[string]function{
	"abs":   exact(func(x *big.Rat) *big.Rat { return x.Abs(x) }),
	"trunc": exact(truncate),
	"floor": exact(floor),
	"ceil":  exact(func(x *big.Rat) *big.Rat { return x.Neg(floor(x.Neg(x))) }),
	"round": {1, 2, round},
	"pow":   {2, 2, func(args []*big.Rat) (*big.Rat, error) { return power(args[0], args[1]) }},
	"min":   {1, maxExpression, func(args []*big.Rat) (*big.Rat, error) { return slices.MinFunc(args, (*big.Rat).Cmp), nil }},
	"max":   {1, maxExpression, func(args []*big.Rat) (*big.Rat, error) { return slices.MaxFunc(args, (*big.Rat).Cmp), nil }},
	"sqrt":  inexact(math.Sqrt),
	"cbrt":  inexact(math.Cbrt),
	"exp":   inexact(math.Exp),
	"ln":    inexact(math.Log),
	"log":   inexact(math.Log),
	"log2":  inexact(math.Log2),
	"log10": inexact(math.Log10),
	"sin":   inexact(math.Sin),
	"cos":   inexact(math.Cos),
	"tan":   inexact(math.Tan),
	"asin":  inexact(math.Asin),
	"acos":  inexact(math.Acos),
	"atan":  inexact(math.Atan),
}

func functionNames() string {
	return strings.Join(slices.Sorted(maps.Keys(functions)), ", ")
}

func (e *evaluator) call(name string, nodes []ast.Node) (*big.Rat, error) {
	f, ok := functions[name]
	if !ok {
		return nil, fmt.Errorf("unknown function %q; the functions are %s", name, functionNames())
	}
	if n := len(nodes); n < f.least || n > f.most {
		return nil, fmt.Errorf("%s does not take %d arguments", name, n)
	}
	args := make([]*big.Rat, len(nodes))
	for i, node := range nodes {
		var err error
		if args[i], err = e.evaluate(node); err != nil {
			return nil, err
		}
	}
	return f.apply(args)
}

// exact makes a function of one number from one that may overwrite its argument.
func exact(f func(*big.Rat) *big.Rat) function {
	return function{1, 1, func(args []*big.Rat) (*big.Rat, error) { return f(args[0]), nil }}
}

func inexact(f func(float64) float64) function {
	return function{1, 1, func(args []*big.Rat) (*big.Rat, error) {
		x, _ := args[0].Float64()
		return fromFloat(f(x))
	}}
}

func truncate(x *big.Rat) *big.Rat {
	return x.SetInt(new(big.Int).Quo(x.Num(), x.Denom()))
}

func floor(x *big.Rat) *big.Rat {
	// The denominator is positive, so Euclidean division rounds down.
	return x.SetInt(new(big.Int).Div(x.Num(), x.Denom()))
}

// round rounds half away from zero, to the number of decimals that the second argument gives.
func round(args []*big.Rat) (*big.Rat, error) {
	x, scale := args[0], big.NewRat(1, 1)
	if len(args) == 2 {
		const most = 308
		decimals := args[1]
		if !decimals.IsInt() || decimals.Num().CmpAbs(big.NewInt(most)) > 0 {
			return nil, fmt.Errorf("round: the number of decimals must be whole, and at most %d", most)
		}
		var err error
		if scale, err = power(big.NewRat(10, 1), decimals); err != nil {
			return nil, err
		}
	}
	half := big.NewRat(int64(x.Sign()), 2)
	scaled := truncate(half.Add(half, new(big.Rat).Mul(x, scale)))
	return bounded(scaled.Quo(scaled, scale))
}
