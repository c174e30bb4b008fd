package sink

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/gluepipe/gluepipe/stages/batch"
)

// Batch returns a sink that writes a line for each result as OpenAI's Batch API has them in its output and error files; see
// [OpenBatch]. It never closes w. Results are as safe as w makes them when its Write returns. Write blocks for as long as w
// does.
func Batch(w io.Writer) batch.Sink { return newStream(w, batchLines{}) }

// OpenBatch opens or creates a file of results as OpenAI's Batch API has them in its output and error files, to append to
// it; see [File]. The caller closes it, usually by handing it to the engine.
//
// The run has to keep the raw answers (KeepRaw in its configuration): an answer's body is then written as it came, made one
// line. Where there is none, a minimal body is made of the result. Both hold less than the result: metadata, rows, tool
// histories and times are in no such file, and the tokens of a conversation are those of its last answer.
//
//   - A success has the response, and its error is null.
//   - What the server refused has the response with its status and body.error, and its error is null. A body that is not
//     JSON is the text in body.error.message.
//   - What failed though the server had answered it (an answer that was cut off, filtered, or breaks its schema) has the
//     response and an error with code and message.
//   - What no server answered has an error, and its response is null.
//
// A file that OpenAI or vLLM wrote is continued too. A line's id has the fingerprint of its request and its
// index in the run; in lines of others, which have none, the custom_id alone tells what is done. A last line that broke off is cut away only if it begins as this
// package writes it.
func OpenBatch(path string, options FileOptions) (*File, error) {
	return openFile(path, batchLines{}, &options)
}

// ReadBatchRecords reads a file of results as [OpenBatch] writes them, and changes nothing; see [ReadRecords].
func ReadBatchRecords(path string) (*Records, error) { return readRecords(path, batchLines{}) }

// batchLines is the format of the Batch API's output.
type batchLines struct{}

func (batchLines) header() []byte { return nil }

func (batchLines) records(path string, r io.Reader) recordReader {
	return newLineReader(path, r, decodeBatchLine, beginsBatchLine)
}

func (batchLines) appendRecord(dst []byte, r *batch.Result) ([]byte, error) {
	line := appendBatchID(append(dst, `{"id":"`...), r)
	line = appendText(append(line, `","custom_id":`...), r.ID)
	line, err := appendBatchResponse(append(line, `,"response":`...), r)
	if err != nil {
		return dst, fmt.Errorf("result %q: %w", r.ID, err)
	}
	line = append(line, `,"error":`...)
	if r.Success || refused(r) {
		return append(line, "null}\n"...), nil
	}
	line = appendText(append(line, `{"code":`...), string(r.ErrorType))
	line = appendText(append(line, `,"message":`...), r.Error)
	return append(line, "}}\n"...), nil
}

const batchIDPrefix = "batch_req_"

// appendBatchID appends an id that tells the request's fingerprint, and its index: requests that are the same, but for their
// custom_ids, have the same fingerprint.
func appendBatchID(dst []byte, r *batch.Result) []byte {
	dst = append(dst, batchIDPrefix...)
	if version, sum, ok := strings.Cut(r.Fingerprint, ":"); ok && isVersion(version) && isHex(sum) {
		dst = append(append(append(append(dst, version...), '_'), sum...), '_')
	}
	return strconv.AppendInt(dst, r.Index, 10)
}

// batchFingerprint returns the fingerprint in an id; "" where there is none, since the line is somebody else's. An id
// without an index is one of ours, too.
func batchFingerprint(id string) string {
	id, ours := strings.CutPrefix(id, batchIDPrefix)
	version, rest, ok := strings.Cut(id, "_")
	sum, index, indexed := strings.Cut(rest, "_")
	if ours && ok && isVersion(version) && isHex(sum) && (!indexed || isDigits(index)) {
		return version + ":" + sum
	}
	return ""
}

func isVersion(s string) bool {
	digits, ok := strings.CutPrefix(s, "v")
	return ok && isDigits(digits)
}

func isDigits(s string) bool { return s != "" && strings.Trim(s, "0123456789") == "" }

func isHex(s string) bool { return s != "" && strings.Trim(s, "0123456789abcdef") == "" }

// beginsBatchLine knows the beginning of what appendRecord writes.
func beginsBatchLine(line string) bool {
	rest, ok := cutTorn(line, `{"id":"`+batchIDPrefix)
	if ok {
		rest, ok = cutTorn(skipText(rest), `","custom_id":"`)
	}
	if ok {
		_, ok = cutTorn(skipText(rest), `","response":`)
	}
	return ok
}

// appendText appends a JSON string and leaves <, > and & as they are.
func appendText(dst []byte, s string) []byte {
	if plainText(s) {
		return append(append(append(dst, '"'), s...), '"')
	}
	var buf bytes.Buffer
	encoder := json.NewEncoder(&buf)
	encoder.SetEscapeHTML(false)
	_ = encoder.Encode(strings.ToValidUTF8(s, "\uFFFD")) // a string always encodes
	return append(dst, bytes.TrimSpace(buf.Bytes())...)
}

// plainText tells whether s stands in JSON as it is.
func plainText(s string) bool {
	for _, c := range []byte(s) {
		if c < ' ' || c >= utf8.RuneSelf || c == '"' || c == '\\' {
			return false
		}
	}
	return true
}
