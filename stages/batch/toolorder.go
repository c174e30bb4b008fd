package batch

import "fmt"

// ToolOrder says how the tool calls of one turn are run.
type ToolOrder string

// The orders.
const (
	Parallel   ToolOrder = "parallel"   // side by side
	Sequential ToolOrder = "sequential" // one after the other, in the order in which the model asks for them
)

// Validate returns what is wrong with an order. "" is good: it leaves the choice to somebody else.
func (o ToolOrder) Validate() error {
	switch o {
	case "", Parallel, Sequential:
		return nil
	}
	return fmt.Errorf("want %q or %q, got %q", Parallel, Sequential, string(o))
}
