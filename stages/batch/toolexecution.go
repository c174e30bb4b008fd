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
	ToolName  string
	Server    string          // what the tool belongs to (Tool.Server); "" for a tool by itself
	Turn      int             // the tool turn of the conversation, from 1
	Arguments json.RawMessage // as the model sent them; a JSON string where they were not JSON
	Result    string          // the answer given to the model
	// ResultBytes is how long the tool's whole answer was, where it was too long for Result; else 0.
	ResultBytes int64
	Error       bool // the tool failed; Result says how
	Refused     bool // the tool was not run, because it is not approved (RunOptions.Approve of package tool); Error is set, too
	ElapsedTime time.Duration
}

// MarshalJSON writes the execution with its time in seconds.
func (e ToolExecution) MarshalJSON() ([]byte, error) { return e.appendJSON(nil) }

func (e *ToolExecution) appendJSON(dst []byte) ([]byte, error) {
	dst = jsonappend.String(append(dst, `{"tool_name":`...), e.ToolName)
	if e.Server != "" {
		dst = jsonappend.String(jsonappend.Key(dst, "server"), e.Server)
	}
	if e.Turn != 0 {
		dst = strconv.AppendInt(jsonappend.Key(dst, "turn"), int64(e.Turn), 10)
	}
	dst, err := jsonappend.Value(jsonappend.Key(dst, "arguments"), e.Arguments)
	if err != nil {
		return dst, fmt.Errorf("arguments of a call of tool %q: %w", e.ToolName, err)
	}
	dst = jsonappend.String(jsonappend.Key(dst, "result"), e.Result)
	if e.ResultBytes != 0 {
		dst = strconv.AppendInt(jsonappend.Key(dst, "result_bytes"), e.ResultBytes, 10)
	}
	dst = strconv.AppendBool(jsonappend.Key(dst, "error"), e.Error)
	if e.Refused {
		dst = append(jsonappend.Key(dst, "refused"), "true"...)
	}
	dst = jsonappend.Seconds(jsonappend.Key(dst, "elapsed_time"), e.ElapsedTime)
	return append(dst, '}'), nil
}

// UnmarshalJSON reads what MarshalJSON writes. Arguments that are null are nil.
func (e *ToolExecution) UnmarshalJSON(data []byte) error {
	var room room
	o, err := readObject(data, &room)
	if err != nil {
		return err
	}
	*e = ToolExecution{}
	o.text("tool_name", &e.ToolName)
	o.text("server", &e.Server)
	o.whole("turn", &e.Turn)
	o.raw("arguments", &e.Arguments)
	o.text("result", &e.Result)
	o.long("result_bytes", &e.ResultBytes)
	o.truth("error", &e.Error)
	o.truth("refused", &e.Refused)
	o.seconds("elapsed_time", &e.ElapsedTime)
	return o.failure()
}
