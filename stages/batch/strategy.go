package batch

import "fmt"

// ErrorStrategy says what a failed request does to the run. The zero value is [Continue].
type ErrorStrategy int

const (
	// Continue processes all requests; failures stand among the results.
	Continue ErrorStrategy = iota
	// FailFast cancels the run at the first failed result.
	FailFast
	// Skip processes all requests and delivers only the successes; failures are counted.
	Skip
)

var strategyNames = [...]string{Continue: "continue", FailFast: "fail_fast", Skip: "skip"}

// String returns "continue", "fail_fast" or "skip".
func (s ErrorStrategy) String() string {
	if s < 0 || int(s) >= len(strategyNames) {
		return fmt.Sprintf("ErrorStrategy(%d)", int(s))
	}
	return strategyNames[s]
}

// MarshalText writes the strategy's name.
func (s ErrorStrategy) MarshalText() ([]byte, error) {
	if s < 0 || int(s) >= len(strategyNames) {
		return nil, fmt.Errorf("unknown error strategy %d", int(s))
	}
	return []byte(strategyNames[s]), nil
}

// UnmarshalText reads a strategy's name, as [ErrorStrategy.String] gives it.
func (s *ErrorStrategy) UnmarshalText(text []byte) error {
	for strategy, name := range strategyNames {
		if string(text) == name {
			*s = ErrorStrategy(strategy)
			return nil
		}
	}
	return fmt.Errorf("unknown error strategy %q: want continue, fail_fast or skip", text)
}
