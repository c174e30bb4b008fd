package llmtest

import (
	"errors"
	"fmt"
	"net"
	"slices"
	"strings"
	"time"
)

// Config says how a [Server] answers. The zero value echoes at once, on a free port of 127.0.0.1.
type Config struct {
	// Addr is the address to listen on. Without a host it is 127.0.0.1; any other address is served only when it is
	// written out. Default "127.0.0.1:0", a free port.
	Addr string

	// Behaviour is what the server does with a model name that says nothing itself: "echo", "flaky", "fail", "length" or
	// "refuse", as the package's documentation tells. Default "echo".
	Behaviour string
	// Respond, if set, chooses the answer of each request for a completion. nil leaves it to the model's behaviour and the
	// rates below. It is called by many goroutines at once, before the latency has passed. A panic becomes a 500.
	Respond func(*Request) *Answer

	Latency time.Duration // before each answer; not before a 4xx of the server's own. Default 0
	Jitter  float64       // share of Latency, 0 to 1, by which an answer comes at most earlier or later. Default 0

	// Shares of the requests, 0 to 1 and at most 1 together, that fail. Default 0.
	ErrorRate    float64 // a 500 or 503
	TruncateRate float64 // the connection ends in the middle of the body
	EmptyRate    float64 // a 200 with an empty body
	ResetRate    float64 // the connection is reset (RST) without an answer
	HangRate     float64 // no answer until the client goes or the server closes
	// BodyResetRate is the share whose connection is reset in the middle of the body. Default 0.
	BodyResetRate float64

	Seed int64 // of the faults, the jitter and the ids. 0 is a seed like any other

	// RPM is the requests a minute that each API key may make. Above it they get a 429 that says how long to wait, in the
	// headers that OpenAI sends. Default 0, no limit.
	RPM int
	// Burst is how many of them may come at once. Default RPM.
	Burst int
	// Window, if set, counts RPM in windows of this length, one after the other from a key's first request on: RPM x Window
	// requests in each, rounded up, however close together. It excludes Burst. Default 0, a bucket that fills steadily.
	Window time.Duration
	// MaxInFlight is the requests of each API key that are answered at once. Above it they get a 429 at once, which says
	// nothing of how long to wait. Default 0, no limit.
	MaxInFlight int
	// NoLimitHeaders leaves out what headers say of RPM, so that a 429 doesn't say how long to wait. Default false.
	NoLimitHeaders bool
	// WholeSeconds leaves out retry-after-ms beside Retry-After, which is rounded up to whole seconds. Default false.
	WholeSeconds bool

	// APIKeys, if set, are the keys let in; others get a 401. Default: any key, or none.
	APIKeys []string

	RecordBodies bool // keep every request body for [Server.Bodies]. Default false
	// CountAttempts counts the requests of each prompt for [Server.Attempts], which takes about 20 bytes a prompt. Default
	// false, but true wherever Respond is set or Behaviour is "flaky".
	CountAttempts bool
}

var behaviours = []string{"echo", "flaky", "fail", "length", "refuse"}

func (c Config) withDefaults() Config {
	switch {
	case c.Addr == "":
		c.Addr = "127.0.0.1:0"
	case strings.HasPrefix(c.Addr, ":"): // an empty host would mean every interface
		c.Addr = "127.0.0.1" + c.Addr
	}
	if c.Behaviour == "" {
		c.Behaviour = "echo"
	}
	return c
}

func (c *Config) validate() error {
	if _, _, err := net.SplitHostPort(c.Addr); err != nil {
		return fmt.Errorf("address %q: %w", c.Addr, err)
	}
	if !slices.Contains(behaviours, c.Behaviour) {
		return fmt.Errorf("unknown behaviour %q: want one of %s", c.Behaviour, strings.Join(behaviours, ", "))
	}
	sum := 0.0
	for _, rate := range c.rates() {
		if !isShare(*rate.value) {
			return fmt.Errorf("%s must be from 0 to 1, got %v", rate.name, *rate.value)
		}
		sum += *rate.value
	}
	switch {
	case sum > 1+1e-9: // ten times 0.1 is a little more than 1
		return fmt.Errorf("the rates must be at most 1 together, got %v", sum)
	case !isShare(c.Jitter):
		return fmt.Errorf("jitter must be from 0 to 1, got %v", c.Jitter)
	case c.Latency < 0:
		return fmt.Errorf("latency must not be negative, got %v", c.Latency)
	case c.RPM < 0:
		return fmt.Errorf("rpm must not be negative, got %d", c.RPM)
	case c.Burst < 0:
		return fmt.Errorf("burst must not be negative, got %d", c.Burst)
	case c.Burst > 0 && c.RPM == 0:
		return errors.New("burst needs rpm")
	case c.Window < 0:
		return fmt.Errorf("window must not be negative, got %v", c.Window)
	case c.Window > 0 && c.RPM == 0:
		return errors.New("window needs rpm")
	case c.Window > 0 && c.Burst > 0:
		return errors.New("window and burst exclude each other")
	case c.MaxInFlight < 0:
		return fmt.Errorf("max_in_flight must not be negative, got %d", c.MaxInFlight)
	}
	return nil
}

// isShare is false for NaN too.
func isShare(x float64) bool { return x >= 0 && x <= 1 }

// rate is a share of the requests and the fault it makes.
type rate struct {
	name  string
	value *float64
	fault Fault
}

func (c *Config) rates() [6]rate {
	return [...]rate{
		{"error_rate", &c.ErrorRate, failed},
		{"truncate_rate", &c.TruncateRate, Truncate},
		{"empty_rate", &c.EmptyRate, EmptyBody},
		{"reset_rate", &c.ResetRate, Reset},
		{"hang_rate", &c.HangRate, Hang},
		{"body_reset_rate", &c.BodyResetRate, BodyReset}, // last, so that the others' shares stay where they were
	}
}

// counting tells whether the requests of each prompt are counted.
func (c *Config) counting() bool {
	return c.CountAttempts || c.Respond != nil || c.Behaviour == "flaky"
}
