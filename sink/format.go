package sink

import (
	"io"
	"math"
	"time"

	"github.com/gluepipe/gluepipe/stages/batch"
)

// format is how results are written as records. A record ends with a newline and may hold others: only the format knows
// where one ends.
type format interface {
	// header returns what a file has before its first record, with its newline; nil for nothing.
	header() []byte
	// appendRecord appends a whole record with its newline. Where it fails, dst comes back as it was.
	appendRecord(dst []byte, r *batch.Result) ([]byte, error)
	// records finds the records in a file that an earlier run or another program has left. Its errors name the path.
	records(path string, r io.Reader) recordReader
}

// recordReader finds the records of a file one by one, behind its header. It is for one goroutine.
type recordReader interface {
	// next finds the next record and tells whether there is one.
	next() bool
	// found returns the record that next has found, valid until the next one.
	found() *found
	// end tells how the file ends, once next has found no more: or why it can't be read. What is no record, nor the
	// beginning of one at the end of the file, is errNotARecord.
	end() (ending, error)
}

// found is a record in a file.
type found struct {
	record
	text  []byte // as it stands there, without its newline
	start int64  // its offset in the file
}

// ending is how a file of records ends.
type ending struct {
	offset int64 // behind the last whole record, or the header
	torn   int64 // the bytes behind it, of a record or header that broke off
	bare   bool  // the last record is whole but for its newline
}

// record is what resuming and counting need of a result on disk.
type record struct {
	id          string
	index       int64 // 0 where the format has none
	success     bool
	errorType   batch.ErrorKind
	tokensUsed  *batch.TokenUsage
	elapsedTime time.Duration
	costUSD     *float64
	fingerprint string
}

func (r *record) addTo(s *batch.Summary) {
	s.TotalRequests++
	s.Add(&batch.Result{
		Success: r.success, ErrorType: r.errorType, TokensUsed: r.tokensUsed, CostUSD: r.costUSD, ElapsedTime: r.elapsedTime,
	})
}

// seconds makes a duration of a number of seconds.
func seconds(s float64) time.Duration { return time.Duration(math.Round(s * float64(time.Second))) }
