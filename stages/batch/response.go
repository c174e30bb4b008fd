package batch

import (
	"encoding/json"
	"fmt"
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
		dst = jsonappend.Key(dst, "total_tokens_used")
		dst = fmt.Appendf(dst, `{"prompt":%d,"completion":%d,"total":%d}`, u.Prompt, u.Completion, u.Total)
	}
	if s.TotalCostUSD != nil {
		dst = strconv.AppendFloat(jsonappend.Key(dst, "total_cost_usd"), *s.TotalCostUSD, 'g', -1, 64)
	}
	return dst
}

// MarshalJSON writes the summary as an object.
func (s Summary) MarshalJSON() ([]byte, error) {
	return append(s.AppendJSONMembers([]byte{'{'}), '}'), nil
}

// UnmarshalJSON reads what MarshalJSON writes, and the summary of a [Response].
func (s *Summary) UnmarshalJSON(data []byte) error {
	var v struct {
		TotalRequests      int               `json:"total_requests"`
		SuccessfulRequests int               `json:"successful_requests"`
		FailedRequests     int               `json:"failed_requests"`
		UnfinishedRequests int               `json:"unfinished_requests"`
		DroppedRequests    map[string]int    `json:"dropped_requests"`
		FailedByType       map[ErrorKind]int `json:"failed_by_type"`
		TotalElapsedTime   float64           `json:"total_elapsed_time"`
		WallTime           float64           `json:"wall_time"`
		TotalTokensUsed    *TokenUsage       `json:"total_tokens_used"`
		TotalCostUSD       *float64          `json:"total_cost_usd"`
	}
	if err := json.Unmarshal(data, &v); err != nil {
		return err
	}
	*s = Summary{
		TotalRequests: v.TotalRequests, SuccessfulRequests: v.SuccessfulRequests, FailedRequests: v.FailedRequests,
		UnfinishedRequests: v.UnfinishedRequests, DroppedRequests: v.DroppedRequests, FailedByType: v.FailedByType,
		TotalElapsedTime: duration(v.TotalElapsedTime), WallTime: duration(v.WallTime),
		TotalTokensUsed: v.TotalTokensUsed, TotalCostUSD: v.TotalCostUSD,
	}
	return nil
}

// Response is a whole run: its results in the order of their requests, and their summary.
type Response struct {
	Results []*Result
	Summary
}

// MarshalJSON writes the response as one object.
func (r Response) MarshalJSON() ([]byte, error) {
	dst := append(r.AppendJSONMembers([]byte{'{'}), `,"results":[`...)
	var err error
	for i, result := range r.Results {
		if i > 0 {
			dst = append(dst, ',')
		}
		if dst, err = result.AppendJSON(dst); err != nil {
			return nil, err
		}
	}
	return append(dst, ']', '}'), nil
}

// UnmarshalJSON reads what MarshalJSON writes.
func (r *Response) UnmarshalJSON(data []byte) error {
	var results struct {
		Results []*Result `json:"results"`
	}
	if err := json.Unmarshal(data, &results); err != nil {
		return err
	}
	r.Results = results.Results
	return r.Summary.UnmarshalJSON(data)
}
