package pipeline

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"os"
	"slices"
	"time"

	"github.com/sashabaranov/go-openai"
	"go.uber.org/zap"

	"github.com/gluepipe/gluepipe/stages"
	"github.com/gluepipe/gluepipe/stages/batch"
	"github.com/gluepipe/gluepipe/stages/llm"
)

// Config says how requests are run. nil and the zero value mean the defaults. What a request says itself wins over it.
type Config struct {
	// Model is "provider:model"; default GLUEPIPE_MODEL, else "openai:gpt-4o-mini". "mock:echo" needs no network and no key:
	// the processor starts a server on loopback and talks to it.
	Model string
	// BaseURL is where the provider's chat completions are, up to "/v1"; default the provider's own.
	BaseURL string
	// APIKey is the provider's key; default the provider's environment variable.
	APIKey string
	// APIKeys are several keys instead of APIKey. Each has the RateLimit to itself, and a call takes the one that is free first.
	APIKeys []string

	SystemPrompt string         // default none
	Params       map[string]any // other fields of the requests' bodies, sent as they are; a request's own win one by one

	// Tools are the tools of requests that don't bring their own; default none. Go functions become tools with package
	// stages/tool; the tools of MCP servers, commands and HTTP calls with its packages mcp, command and httptool.
	Tools             []batch.Tool
	ToolTimeout       time.Duration // of one call of a tool that has no Timeout of its own; default 1 minute, -1 none
	MaxToolIterations int           // tool turns of one conversation; default 10, -1 no bound
	// ToolExecutionOrder says how the tool calls of one turn are run: batch.Parallel, the default, or batch.Sequential.
	ToolExecutionOrder batch.ToolOrder
	// MaxToolResult is how many bytes of a tool's answer the model and the history are given; what is longer is cut, with a
	// line that says so. Default 256 KiB, -1 no bound.
	MaxToolResult int64
	// ApproveTool is asked before a tool is run. Its error refuses the call: the tool is not run, and the model is answered
	// "error: refused: " and the error's text. It is called by many goroutines at once, and may wait until its context
	// ends. Default: all are approved. tool.ApproveReadOnly approves the tools that change nothing.
	ApproveTool func(ctx context.Context, t *batch.Tool, arguments json.RawMessage) error

	// Schema is the JSON schema that answers follow: Result.StructuredOutput is then the answer's JSON, which was checked.
	// Requests for embeddings, and those with a response_format of their own, have none of it. [Structured] makes one of a Go
	// type. Default none.
	Schema json.RawMessage
	// MaxRepairs is how many answers to one request that break the schema are asked for again, with what is wrong with them;
	// default 1, -1 none.
	MaxRepairs int
	// SchemaInPrompt puts the schema into the system prompt, for servers that take no response_format of type json_schema;
	// default where the provider is known to take none (anthropic, deepseek).
	SchemaInPrompt bool
	// EmbedBatch is how many requests for the embedding of a text are asked for in one call, where they come within a few
	// milliseconds and have the model and the params in common; at most MaxPending come together. Default 64, -1 none. With
	// KeepRaw each has a call of its own.
	EmbedBatch int

	MaxConcurrent int // model calls in flight, over all runs of a processor; default 5
	// FixedPace has MaxConcurrent calls in flight whatever the provider bears. By default there are few at first, and then as
	// many as it bears; see [llm.Limiter].
	FixedPace  bool
	MaxPending int // requests between source and sink; default 4 x MaxConcurrent, at least 256

	ErrorStrategy batch.ErrorStrategy // default batch.Continue
	// AbortAfter stops a run when so many failures of one kind have come without a success in between, or at once when no call
	// can succeed any more (every key is refused, the credit is spent, no connection for a minute); default 100. -1 is never:
	// then calls don't wait for a server that can't be reached, but fail. See [BatchProcessor.Run].
	AbortAfter  int
	RetryFailed bool               // try once more what can succeed; Retry says more
	Retry       stages.RetryPolicy // default: no retry, or one with RetryFailed

	RateLimit        llm.Limits    // requests and tokens per minute, for each key; default none
	MaxRateLimitWait time.Duration // of one model call, over all its waits for limits; default 15 minutes, -1 no bound
	Timeout          time.Duration // of one model call, once it may start; default 10 minutes, -1 none
	RequestTimeout   time.Duration // of one request: its attempts, tools and backoffs, but no waits for limits; default none
	Deadline         time.Duration // of a run; default none
	Grace            time.Duration // for the last writes of a run that was cancelled; default 30 seconds
	MaxResponseBytes int64         // of one answer's body; a larger one is a failed call; default 64 MiB
	// Hedge makes a call that is slow a second time, at most one in 20, and takes the answer that comes first; default never.
	// The second call takes a place of MaxConcurrent like any other, so that 1 leaves none for it.
	Hedge llm.HedgeConfig

	AllowTruncated bool // an answer cut at its token limit (finish_reason length) is a success; default false
	Ordered        bool // deliver in the order of the source; default as they finish
	// KeepRaw keeps each answer's bytes in Result.Raw, and allows requests that ask for more than a result holds: n above 1,
	// and the embeddings of a list; default false.
	KeepRaw bool

	BeforeExecute []batch.Stage // the caller's stages between resume and execute; they may change Item.Effective
	AfterExecute  []batch.Stage // the caller's stages between retry and collect; they may change Item.Result

	// OnProgress is called after each delivery, and every second while there is nothing to deliver, from one goroutine of a run.
	// It must not block; a panic breaks the run.
	OnProgress   func(Progress)
	ShowProgress bool // a plain line on stderr every few seconds

	Getenv     func(string) string // finds the variables with providers' keys and addresses; default os.Getenv
	Logger     *zap.Logger         // default silent
	Completer  llm.Completer       // makes the model calls; default a client built from Model, BaseURL and the keys
	HTTPClient openai.HTTPDoer     // sends the requests of that client; default one tuned for MaxConcurrent
}

const (
	defaultModel         = "openai:gpt-4o-mini"
	defaultMaxConcurrent = 5
	defaultEmbedBatch    = 64
	defaultMaxToolResult = 256 << 10
	minDefaultPending    = 256
)

func (c *Config) withDefaults() *Config {
	d := Config{}
	if c != nil {
		d = *c
	}
	// What the caller does to them later is none of the processor's.
	d.APIKeys, d.Tools, d.Params = slices.Clone(d.APIKeys), slices.Clone(d.Tools), maps.Clone(d.Params)
	d.Schema = slices.Clone(d.Schema)
	d.BeforeExecute, d.AfterExecute = slices.Clone(d.BeforeExecute), slices.Clone(d.AfterExecute)
	if d.Getenv == nil {
		d.Getenv = os.Getenv
	}
	d.Model = cmp.Or(d.Model, d.Getenv("GLUEPIPE_MODEL"), defaultModel)
	d.ToolTimeout = cmp.Or(d.ToolTimeout, time.Minute)
	d.MaxToolIterations = cmp.Or(d.MaxToolIterations, 10)
	d.MaxToolResult = cmp.Or(d.MaxToolResult, defaultMaxToolResult)
	d.MaxRepairs = cmp.Or(d.MaxRepairs, 1)
	d.EmbedBatch = cmp.Or(d.EmbedBatch, defaultEmbedBatch)
	d.MaxConcurrent = cmp.Or(d.MaxConcurrent, defaultMaxConcurrent)
	d.MaxPending = cmp.Or(d.MaxPending, max(4*d.MaxConcurrent, minDefaultPending))
	if d.RetryFailed {
		d.Retry.MaxAttempts = cmp.Or(d.Retry.MaxAttempts, 2)
	}
	d.MaxRateLimitWait = cmp.Or(d.MaxRateLimitWait, 15*time.Minute)
	d.Timeout = cmp.Or(d.Timeout, 10*time.Minute)
	d.AbortAfter = cmp.Or(d.AbortAfter, 100)
	d.Grace = cmp.Or(d.Grace, 30*time.Second)
	if d.Logger == nil {
		d.Logger = zap.NewNop()
	}
	return &d
}

// ConfigError says what is wrong with a field of a [Config].
type ConfigError struct {
	Field string
	Err   error
}

func (e *ConfigError) Error() string { return fmt.Sprintf("config: %s: %v", e.Field, e.Err) }

func (e *ConfigError) Unwrap() error { return e.Err }

// validate names the field that is wrong. It expects the defaults filled in.
func (c *Config) validate() error {
	if err := c.Retry.Validate(); err != nil {
		return fmt.Errorf("config: Retry.%w", err)
	}
	if _, err := c.ErrorStrategy.MarshalText(); err != nil {
		return &ConfigError{"ErrorStrategy", err}
	}
	if err := (stages.Defaults{Params: c.Params, KeepRaw: c.KeepRaw}).Validate(); err != nil {
		return &ConfigError{"Params", errors.Unwrap(err)}
	}
	if err := (stages.Defaults{Tools: c.Tools}).Validate(); err != nil {
		return &ConfigError{"Tools", errors.Unwrap(err)}
	}
	if err := c.ToolExecutionOrder.Validate(); err != nil {
		return &ConfigError{"ToolExecutionOrder", err}
	}
	if err := c.Hedge.Validate(); err != nil {
		return &ConfigError{"Hedge", err}
	}
	for _, check := range []struct {
		field string
		wrong bool
		want  string
	}{
		{"MaxConcurrent", c.MaxConcurrent < 1, "1 or more"},
		{"MaxPending", c.MaxPending < 1, "1 or more"},
		{"MaxRepairs", c.MaxRepairs < -1, "1 or more, or -1 for none"},
		{"EmbedBatch", c.EmbedBatch < -1, "1 or more, or -1 for none"},
		{"Schema", c.Schema != nil && c.Params["response_format"] != nil, "either Schema or a response_format in Params"},
		{"AbortAfter", c.AbortAfter < -1, "1 or more, or -1 for never"},
		{"MaxToolIterations", c.MaxToolIterations < -1, "1 or more, or -1 for no bound"},
		{"MaxToolResult", c.MaxToolResult < -1, "1 or more, or -1 for no bound"},
		{"RateLimit.RPM", c.RateLimit.RPM < 0, "0 or more"},
		{"RateLimit.TPM", c.RateLimit.TPM < 0, "0 or more"},
		{"Deadline", c.Deadline < 0, "0 or more"},
		{"Grace", c.Grace < 0, "0 or more"},
		{"MaxResponseBytes", c.MaxResponseBytes < 0, "0 or more"},
		{"APIKeys", c.APIKey != "" && len(c.APIKeys) > 0, "either APIKey or APIKeys"},
	} {
		if check.wrong {
			return &ConfigError{check.field, errors.New("want " + check.want)}
		}
	}
	return nil
}
