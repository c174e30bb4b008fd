package sink

import (
	"encoding/json"
	"fmt"
	"io"

	"github.com/gluepipe/gluepipe/stages/batch"
)

// JSONL returns a sink that writes a line of JSON for each result, and one Write call of whole lines for each batch. It
// never closes w. Results are as safe as w makes them when its Write returns. Write blocks for as long as w does.
//
// A result that can't be encoded (metadata made in Go that JSON doesn't know) is an error; the rest of its batch is written.
func JSONL(w io.Writer) batch.Sink { return newStream(w, jsonLines{}) }

// OpenJSONL opens or creates the file of results at path, a line of JSON each, to append to it; see [File]. The caller
// closes it, usually by handing it to the engine.
func OpenJSONL(path string, options FileOptions) (*File, error) {
	return openFile(path, jsonLines{}, &options)
}

// jsonLines is the format of results in their own JSON.
type jsonLines struct{}

func (jsonLines) header() []byte { return nil }

func (jsonLines) appendRecord(dst []byte, r *batch.Result) ([]byte, error) {
	line, err := r.AppendJSON(dst)
	if err != nil {
		return dst, err
	}
	return append(line, '\n'), nil
}

func (jsonLines) records(path string, r io.Reader) recordReader {
	return newLineReader(path, r, decodeResult, beginsResult)
}

func decodeResult(line []byte, to *record) error {
	if scanResult(line, to) {
		return nil
	}
	return decodeAnyResult(line, to)
}

// decodeAnyResult reads a line in whatever form it is JSON.
func decodeAnyResult(line []byte, to *record) error {
	var r struct {
		ID          *string           `json:"id"`
		Index       *int64            `json:"index"`
		Success     *bool             `json:"success"`
		ErrorType   batch.ErrorKind   `json:"error_type"`
		TokensUsed  *batch.TokenUsage `json:"tokens_used"`
		ElapsedTime float64           `json:"elapsed_time"`
		CostUSD     *float64          `json:"cost_usd"`
		Fingerprint string            `json:"fingerprint"`
	}
	if err := json.Unmarshal(line, &r); err != nil {
		return fmt.Errorf("%w: %w", errNotARecord, err)
	}
	if r.ID == nil || r.Index == nil || r.Success == nil {
		return fmt.Errorf("%w: want an id, index and success", errNotARecord)
	}
	*to = record{
		id: *r.ID, index: *r.Index, success: *r.Success, errorType: r.ErrorType, tokensUsed: r.TokensUsed,
		elapsedTime: seconds(r.ElapsedTime), costUSD: r.CostUSD, fingerprint: r.Fingerprint,
	}
	return nil
}

// beginsResult knows the beginning of what [batch.Result.AppendJSON] writes.
func beginsResult(line string) bool {
	rest, ok := cutTorn(line, `{"id":"`)
	if ok {
		_, ok = cutTorn(skipText(rest), `","index":`)
	}
	return ok
}
