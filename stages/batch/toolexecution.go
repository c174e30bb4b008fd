package batch

import (
	"encoding/json"
	"fmt"
	"strconv"
	"time"

	"github.com/gluepipe/gluepipe/stages/internal/jsonappend"
)

// ToolExecution tells how one tool call of a conversation went.
type ToolExecution struct {
	ToolName    string
	Arguments   json.RawMessage // as the model sent them; a JSON string where they were not JSON
	Result      string          // the answer given to the model
	Error       bool            // the tool failed; Result says how
	ElapsedTime time.Duration
}

// MarshalJSON writes the execution with its time in seconds.
func (e ToolExecution) MarshalJSON() ([]byte, error) { return e.appendJSON(nil) }

func (e *ToolExecution) appendJSON(dst []byte) ([]byte, error) {
	dst = jsonappend.String(append(dst, `{"tool_name":`...), e.ToolName)
	dst, err := jsonappend.Value(jsonappend.Key(dst, "arguments"), e.Arguments)
	if err != nil {
		return dst, fmt.Errorf("arguments of a call of tool %q: %w", e.ToolName, err)
	}
	dst = jsonappend.String(jsonappend.Key(dst, "result"), e.Result)
	dst = strconv.AppendBool(jsonappend.Key(dst, "error"), e.Error)
	dst = jsonappend.Seconds(jsonappend.Key(dst, "elapsed_time"), e.ElapsedTime)
	return append(dst, '}'), nil
}

// UnmarshalJSON reads what MarshalJSON writes. Arguments that are null are nil.
func (e *ToolExecution) UnmarshalJSON(data []byte) error {
	o, err := readObject(data)
	if err != nil {
		return err
	}
	*e = ToolExecution{}
	o.text("tool_name", &e.ToolName)
	o.raw("arguments", &e.Arguments)
	o.text("result", &e.Result)
	o.truth("error", &e.Error)
	o.seconds("elapsed_time", &e.ElapsedTime)
	return o.err
}
