package sink

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strconv"

	"github.com/gluepipe/gluepipe/stages/batch"
)

// batchLine is what resuming and counting need of a line of the Batch API's output, whoever wrote it.
type batchLine struct {
	ID       string       `json:"id"`
	CustomID customID     `json:"custom_id"`
	Response *batchAnswer `json:"response"`
	Error    batchFailure `json:"error"`
}

type batchAnswer struct {
	Status status `json:"status_code"`
	Body   struct {
		Error batchFailure `json:"error"`
		Usage *batchUsage  `json:"usage"`
	} `json:"body"`
}

type batchUsage struct {
	Prompt     count `json:"prompt_tokens"`
	Completion count `json:"completion_tokens"`
	Total      count `json:"total_tokens"`
	Cost       price `json:"cost"`
}

// decodeBatchLine passes over fields of a wrong type: what others write there is not what makes a record.
func decodeBatchLine(text []byte, to *record) error {
	line := batchLine{Response: &batchAnswer{Status: noStatus}} // null makes it nil, and without one it stays as it is
	if err := json.Unmarshal(text, &line); err != nil {
		if _, mistyped := errors.AsType[*json.UnmarshalTypeError](err); !mistyped {
			return fmt.Errorf("%w: %w", errNotARecord, err)
		}
	}
	answer, failure := line.Response, line.Error
	if !line.CustomID.there || answer != nil && answer.Status == noStatus && !failure.there {
		return fmt.Errorf("%w of the Batch API: want a custom_id, and a response with its status_code or an error", errNotARecord)
	}
	*to = record{id: line.CustomID.text, fingerprint: batchFingerprint(line.ID)}
	status := noStatus
	if answer != nil {
		status = answer.Status
		to.tokensUsed, to.costUSD = answer.Body.Usage.use()
		if !failure.there {
			failure = answer.Body.Error
		}
	}
	to.success = isOK(int(status)) && !failure.there
	if !to.success {
		to.errorType = failure.kind(int(status))
	}
	return nil
}

// customID is there if it is a text.
type customID struct {
	text  string
	there bool
}

func (id *customID) UnmarshalJSON(data []byte) error {
	*id = customID{}
	id.there = data[0] == '"' && json.Unmarshal(data, &id.text) == nil
	return nil
}

// status reads an HTTP status. What isn't one is 0.
type status int

const noStatus status = -1

func (s *status) UnmarshalJSON(data []byte) error {
	n, _ := strconv.Atoi(string(bytes.Trim(data, `"`)))
	*s = status(max(n, 0))
	return nil
}

// batchFailure is an error as an object or a text. What stands for none is none: null, false, and what is empty.
type batchFailure struct {
	there bool
	code  string
}

func (f *batchFailure) UnmarshalJSON(data []byte) error {
	*f = batchFailure{}
	switch string(data) {
	case "null", "false", `""`, "{}", "[]":
		return nil
	}
	f.there = true
	var object struct {
		Code any `json:"code"`
	}
	if data[0] == '{' && json.Unmarshal(data, &object) == nil {
		f.code, _ = object.Code.(string)
	}
	return nil
}

// kind returns what kind of failure it is, as far as its code and the answer's status tell.
func (f *batchFailure) kind(status int) batch.ErrorKind {
	switch kind := batch.ErrorKind(f.code); kind {
	case batch.ErrInvalidRequest, batch.ErrAuthentication, batch.ErrRateLimit, batch.ErrQuotaExceeded, batch.ErrTokenLimit,
		batch.ErrContentFilter, batch.ErrTruncated, batch.ErrAPIConnection, batch.ErrAPITimeout, batch.ErrServer,
		batch.ErrToolIterationLimit, batch.ErrStructuredOutput, batch.ErrStage:
		return kind
	case "insufficient_quota":
		return batch.ErrQuotaExceeded
	case "context_length_exceeded":
		return batch.ErrTokenLimit
	case "content_filter":
		return batch.ErrContentFilter
	}
	switch {
	case status == http.StatusUnauthorized, status == http.StatusForbidden:
		return batch.ErrAuthentication
	case status == http.StatusPaymentRequired:
		return batch.ErrQuotaExceeded
	case status == http.StatusRequestTimeout:
		return batch.ErrAPITimeout
	case status == http.StatusTooManyRequests:
		return batch.ErrRateLimit
	case status >= 300 && status < 500:
		return batch.ErrInvalidRequest
	}
	return batch.ErrServer
}

// use returns the tokens and the cost that a server reported.
func (u *batchUsage) use() (*batch.TokenUsage, *float64) {
	if u == nil {
		return nil, nil
	}
	tokens := &batch.TokenUsage{Prompt: int64(u.Prompt), Completion: int64(u.Completion), Total: int64(u.Total)}
	if tokens.Total == 0 {
		tokens.Total = tokens.Prompt + tokens.Completion
	}
	return tokens, u.Cost.value
}

// count reads a number of tokens. What isn't one is 0.
type count int64

func (n *count) UnmarshalJSON(data []byte) error {
	const most = 1e12 // far beyond any model, and far from where sums overflow
	if f, err := strconv.ParseFloat(string(data), 64); err == nil && f > 0 && f <= most {
		*n = count(f)
	}
	return nil
}

// price reads an amount of US dollars. What isn't one is none.
type price struct{ value *float64 }

func (p *price) UnmarshalJSON(data []byte) error {
	if f, err := strconv.ParseFloat(string(bytes.Trim(data, `"`)), 64); err == nil && f >= 0 && f <= 1e6 {
		p.value = &f
	}
	return nil
}
