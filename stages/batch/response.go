package batch

import (
	"math"
	"strconv"
	"time"

	"github.com/gluepipe/gluepipe/stages/internal/jsonappend"
)

// Summary counts what became of a run's requests. The zero value is ready to use.
type Summary struct {
	TotalRequests      int // taken from the source
	SuccessfulRequests int
	FailedRequests     int // the unfinished ones included
	// UnfinishedRequests counts those that the run's end cut short: a later run does them again.
	UnfinishedRequests int
	// DroppedRequests counts those that a stage took out of the run, by reason.
	DroppedRequests map[string]int
	// FailedByType counts the failed ones by their error_type.
	FailedByType map[ErrorKind]int
	// TotalElapsedTime is the sum of the results' elapsed times: divided by WallTime it is the benefit of concurrency.
	TotalElapsedTime time.Duration
	WallTime         time.Duration
	TotalTokensUsed  *TokenUsage // nil where no server reported any
	TotalCostUSD     *float64    // nil where no server reported any
}

// Add counts one result, but for TotalRequests, which counts what was taken from the source.
func (s *Summary) Add(r *Result) {
	if r.Success {
		s.SuccessfulRequests++
	} else {
		s.FailedRequests++
		if s.FailedByType == nil {
			s.FailedByType = make(map[ErrorKind]int)
		}
		s.FailedByType[r.ErrorType]++
		if r.Unfinished() {
			s.UnfinishedRequests++
		}
	}
	s.TotalElapsedTime += r.ElapsedTime
	s.addUse(r.TokensUsed, r.CostUSD)
}

// AddDropped counts one dropped request.
func (s *Summary) AddDropped(reason string) {
	if s.DroppedRequests == nil {
		s.DroppedRequests = make(map[string]int)
	}
	s.DroppedRequests[reason]++
}

// Merge adds the counts of another summary, WallTime excepted.
func (s *Summary) Merge(o *Summary) {
	s.TotalRequests += o.TotalRequests
	s.SuccessfulRequests += o.SuccessfulRequests
	s.FailedRequests += o.FailedRequests
	s.UnfinishedRequests += o.UnfinishedRequests
	for reason, n := range o.DroppedRequests {
		if s.DroppedRequests == nil {
			s.DroppedRequests = make(map[string]int)
		}
		s.DroppedRequests[reason] += n
	}
	for kind, n := range o.FailedByType {
		if s.FailedByType == nil {
			s.FailedByType = make(map[ErrorKind]int)
		}
		s.FailedByType[kind] += n
	}
	s.TotalElapsedTime += o.TotalElapsedTime
	s.addUse(o.TotalTokensUsed, o.TotalCostUSD)
}

func (s *Summary) addUse(tokens *TokenUsage, cost *float64) {
	if tokens != nil {
		if s.TotalTokensUsed == nil {
			s.TotalTokensUsed = &TokenUsage{}
		}
		s.TotalTokensUsed.Add(tokens)
	}
	if cost != nil {
		if s.TotalCostUSD == nil {
			s.TotalCostUSD = new(float64)
		}
		*s.TotalCostUSD += *cost
	}
}

// AppendJSONMembers appends the summary's members to the JSON object that dst has open, so that results can stand beside
// them without being in memory at once.
func (s *Summary) AppendJSONMembers(dst []byte) []byte {
	count := func(name string, n int) { dst = strconv.AppendInt(jsonappend.Key(dst, name), int64(n), 10) }
	count("total_requests", s.TotalRequests)
	count("successful_requests", s.SuccessfulRequests)
	count("failed_requests", s.FailedRequests)
	if s.UnfinishedRequests > 0 {
		count("unfinished_requests", s.UnfinishedRequests)
	}
	if len(s.DroppedRequests) > 0 {
		dst = jsonappend.Key(dst, "dropped_requests")
		dst, _ = jsonappend.Map(dst, s.DroppedRequests) // ints always encode
	}
	if len(s.FailedByType) > 0 {
		byName := make(map[string]int, len(s.FailedByType))
		for kind, n := range s.FailedByType {
			byName[string(kind)] = n
		}
		dst = jsonappend.Key(dst, "failed_by_type")
		dst, _ = jsonappend.Map(dst, byName)
	}
	dst = jsonappend.Seconds(jsonappend.Key(dst, "total_elapsed_time"), s.TotalElapsedTime)
	dst = jsonappend.Seconds(jsonappend.Key(dst, "wall_time"), s.WallTime)
	if u := s.TotalTokensUsed; u != nil {
		dst = u.appendJSON(jsonappend.Key(dst, "total_tokens_used"))
	}
	if cost := s.TotalCostUSD; cost != nil && !math.IsNaN(*cost) && !math.IsInf(*cost, 0) { // JSON has no such numbers
		dst = strconv.AppendFloat(jsonappend.Key(dst, "total_cost_usd"), *cost, 'g', -1, 64)
	}
	return dst
}

// MarshalJSON writes the summary as an object.
func (s Summary) MarshalJSON() ([]byte, error) {
	return append(s.AppendJSONMembers([]byte{'{'}), '}'), nil
}

// UnmarshalJSON reads what MarshalJSON writes, and the summary of a [Response].
func (s *Summary) UnmarshalJSON(data []byte) error {
	var room room
	o, err := readObject(data, &room)
	if err != nil {
		return err
	}
	s.read(&o)
	return o.failure()
}

func (s *Summary) read(o *object) {
	*s = Summary{}
	o.whole("total_requests", &s.TotalRequests)
	o.whole("successful_requests", &s.SuccessfulRequests)
	o.whole("failed_requests", &s.FailedRequests)
	o.whole("unfinished_requests", &s.UnfinishedRequests)
	o.value("dropped_requests", &s.DroppedRequests, "an object of counts")
	o.value("failed_by_type", &s.FailedByType, "an object of counts")
	o.seconds("total_elapsed_time", &s.TotalElapsedTime)
	o.seconds("wall_time", &s.WallTime)
	o.value("total_tokens_used", &s.TotalTokensUsed, wantTokens)
	o.value("total_cost_usd", &s.TotalCostUSD, "a number")
}

// Response is a whole run: its results in the order of their requests, and their summary.
type Response struct {
	Results []*Result
	Summary
}

// MarshalJSON writes the response as one object.
func (r Response) MarshalJSON() ([]byte, error) {
	dst, err := appendList(r.AppendJSONMembers([]byte{'{'}), "results", "result", r.Results, appendResult)
	if err != nil {
		return nil, err
	}
	return append(dst, '}'), nil
}

// UnmarshalJSON reads what MarshalJSON writes.
func (r *Response) UnmarshalJSON(data []byte) error {
	var room room
	o, err := readObject(data, &room)
	if err != nil {
		return err
	}
	r.Results = readList(&o, "results", "result", readResult)
	r.read(&o)
	return o.failure()
}

func appendResult(r **Result, dst []byte) ([]byte, error) { return (*r).AppendJSON(dst) }

func readResult(r **Result, data []byte) error {
	*r = new(Result)
	return (*r).UnmarshalJSON(data)
}
