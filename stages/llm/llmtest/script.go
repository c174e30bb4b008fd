package llmtest

import (
	"sync/atomic"
	"time"
)

// Sequence is a [Config.Respond] that gives the answers out in turn, one a request, whatever the request. nil stands for the
// default answer, as does the end of the list.
func Sequence(answers ...*Answer) func(*Request) *Answer {
	var next atomic.Int64
	return func(*Request) *Answer { return at(answers, int(next.Add(1))) }
}

// ByAttempt is a [Config.Respond] that gives the n-th request of each prompt the n-th answer. nil stands for the default
// answer, as does the end of the list.
func ByAttempt(answers ...*Answer) func(*Request) *Answer {
	return func(r *Request) *Answer { return at(answers, r.Attempt) }
}

// Burst429 is a [Config.Respond] that answers the first n requests, whoever sends them, with a 429 that asks for wait. Later
// ones get the default answer.
func Burst429(n int, wait time.Duration) func(*Request) *Answer {
	var seen atomic.Int64
	return func(*Request) *Answer {
		if seen.Add(1) > int64(n) {
			return nil
		}
		return RateLimited(wait)
	}
}

// at returns the n-th answer, counted from 1.
func at(answers []*Answer, n int) *Answer {
	if n > len(answers) {
		return nil
	}
	return answers[n-1]
}
