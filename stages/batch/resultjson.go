package batch

import (
	"fmt"
	"math"
	"strconv"

	"github.com/gluepipe/gluepipe/stages/internal/jsonappend"
)

// AppendJSON appends the result as one line of JSON without a newline. The id comes first. It fails only where
// StructuredOutput, a tool call, an argument or a metadata value can't be encoded; dst then comes back as it was.
func (r *Result) AppendJSON(dst []byte) ([]byte, error) {
	out, err := r.appendJSON(dst)
	if err != nil {
		return dst, fmt.Errorf("result %q: %w", r.ID, err)
	}
	return out, nil
}

func (r *Result) appendJSON(dst []byte) ([]byte, error) {
	dst = jsonappend.String(append(dst, `{"id":`...), r.ID)
	dst = strconv.AppendInt(append(dst, `,"index":`...), r.Index, 10)
	dst = strconv.AppendBool(append(dst, `,"success":`...), r.Success)
	if r.Success || r.Response != "" {
		dst = jsonappend.String(append(dst, `,"response":`...), r.Response)
	}
	dst, err := r.appendParts(dst)
	if err != nil {
		return dst, err
	}
	dst = appendText(dst, "error", r.Error)
	dst = appendText(dst, "error_type", string(r.ErrorType))
	if dst, err = appendMap(dst, "metadata", r.Metadata); err != nil {
		return dst, err
	}
	if r.Row != nil {
		if dst, err = r.Row.appendJSON(append(dst, `,"row":`...)); err != nil {
			return dst, fmt.Errorf("field %q: %w", "row", err)
		}
	}
	dst = jsonappend.Seconds(append(dst, `,"elapsed_time":`...), r.ElapsedTime)
	if r.WaitTime != 0 {
		dst = jsonappend.Seconds(append(dst, `,"wait_time":`...), r.WaitTime)
	}
	dst = appendText(dst, "model", r.Model)
	dst = appendText(dst, "finish_reason", r.FinishReason)
	dst = strconv.AppendInt(append(dst, `,"attempts":`...), int64(r.Attempts), 10)
	if cost := r.CostUSD; cost != nil && !math.IsNaN(*cost) && !math.IsInf(*cost, 0) { // JSON has no such numbers
		if dst, err = jsonappend.Value(append(dst, `,"cost_usd":`...), *cost); err != nil {
			return dst, fmt.Errorf("field %q: %w", "cost_usd", err)
		}
	}
	return append(appendText(dst, "fingerprint", r.Fingerprint), '}'), nil
}

// appendParts appends what an answer has beside its text.
func (r *Result) appendParts(dst []byte) (_ []byte, err error) {
	if dst, err = appendRaw(dst, "structured_output", r.StructuredOutput); err != nil {
		return dst, err
	}
	if r.Embedding != nil {
		dst = appendVector(append(dst, `,"embedding":`...), r.Embedding)
	}
	if r.ToolCalls != nil {
		if dst, err = appendList(dst, "tool_calls", "tool call", r.ToolCalls, (*ToolCall).appendJSON); err != nil {
			return dst, err
		}
	}
	dst = strconv.AppendInt(append(dst, `,"tool_calls_made":`...), int64(r.ToolCallsMade), 10)
	if r.ToolExecutionHistory != nil {
		dst, err = appendList(dst, "tool_execution_history", "call", r.ToolExecutionHistory, (*ToolExecution).appendJSON)
		if err != nil {
			return dst, err
		}
	}
	if r.TokensUsed != nil {
		dst = r.TokensUsed.appendJSON(append(dst, `,"tokens_used":`...))
	}
	return dst, nil
}

// appendText appends a member, unless the text is empty.
func appendText(dst []byte, name, text string) []byte {
	if text == "" {
		return dst
	}
	return jsonappend.String(jsonappend.Key(dst, name), text)
}

// MarshalJSON writes the result as [Result.AppendJSON] does.
func (r Result) MarshalJSON() ([]byte, error) { return r.AppendJSON(nil) }

// UnmarshalJSON reads what MarshalJSON writes. Numbers of the metadata become [json.Number]; fields it doesn't know are
// left out. A failure that doesn't say what went wrong has an Err all the same.
func (r *Result) UnmarshalJSON(data []byte) error {
	var room room
	o, err := readObject(data, &room)
	if err != nil {
		return err
	}
	*r = Result{}
	var errorType string
	o.text("id", &r.ID)
	o.long("index", &r.Index)
	o.truth("success", &r.Success)
	o.text("response", &r.Response)
	o.rawOrNull("structured_output", &r.StructuredOutput)
	o.value("embedding", &r.Embedding, "a list of numbers")
	r.ToolCalls = readList(&o, "tool_calls", "tool call", (*ToolCall).UnmarshalJSON)
	o.whole("tool_calls_made", &r.ToolCallsMade)
	r.ToolExecutionHistory = readList(&o, "tool_execution_history", "call", (*ToolExecution).UnmarshalJSON)
	o.value("tokens_used", &r.TokensUsed, wantTokens)
	o.text("error", &r.Error)
	o.text("error_type", &errorType)
	o.numbers("metadata", &r.Metadata)
	o.row("row", &r.Row)
	o.seconds("elapsed_time", &r.ElapsedTime)
	o.seconds("wait_time", &r.WaitTime)
	o.text("model", &r.Model)
	o.text("finish_reason", &r.FinishReason)
	o.whole("attempts", &r.Attempts)
	o.value("cost_usd", &r.CostUSD, "a number")
	o.text("fingerprint", &r.Fingerprint)
	if !r.Success || r.Error != "" || errorType != "" {
		r.SetError(ErrorKind(errorType).Errorf("%s", r.Error))
		r.ErrorType = ErrorKind(errorType)
	}
	return o.failure()
}

// appendVector appends numbers with the digits that a float32 needs. JSON has no numbers for what is none: it is null.
func appendVector(dst []byte, vector []float32) []byte {
	dst = append(dst, '[')
	for i, f := range vector {
		if i > 0 {
			dst = append(dst, ',')
		}
		if wide := float64(f); math.IsNaN(wide) || math.IsInf(wide, 0) {
			dst = append(dst, "null"...)
		} else {
			dst = strconv.AppendFloat(dst, wide, 'g', -1, 32)
		}
	}
	return append(dst, ']')
}
