package main

import (
	"errors"
	"io"
	"time"

	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"

	"github.com/gluepipe/gluepipe/pipeline"
	"github.com/gluepipe/gluepipe/stages"
	"github.com/gluepipe/gluepipe/stages/batch"
	"github.com/gluepipe/gluepipe/stages/llm"
)

// pipelineConfig turns settings into the configuration of a processor.
func (s *settings) pipelineConfig(lookup lookupFunc, in *input, tools *toolbox) (*pipeline.Config, error) {
	cfg := s.requestConfig(in, tools)
	cfg.MaxConcurrent, cfg.FixedPace, cfg.MaxPending = s.maxConcurrent, !s.adaptive, s.maxPending
	cfg.RetryFailed, cfg.Retry = s.retryFailed, stages.RetryPolicy{MaxAttempts: s.maxAttempts}
	cfg.RateLimit = llm.Limits{RPM: s.rpm, TPM: s.tpm}
	cfg.MaxRateLimitWait, cfg.Hedge = zeroIsNone(s.maxRateLimitWait), s.hedge
	cfg.Timeout, cfg.ToolTimeout = zeroIsNone(s.timeout), zeroIsNone(s.toolTimeout)
	cfg.ToolExecutionOrder, cfg.MaxToolResult = batch.ToolOrder(s.toolOrder), s.maxToolResult
	cfg.ApproveTool = tools.approve
	cfg.RequestTimeout, cfg.AbortAfter = s.requestTimeout, zeroIsNone(s.abortAfter)
	cfg.Deadline, cfg.Grace = s.deadline, max(s.grace, 1)
	cfg.MaxResponseBytes = s.maxResponseBytes
	cfg.AllowTruncated, cfg.Ordered = s.allowTruncated, s.ordered
	_ = cfg.ErrorStrategy.UnmarshalText([]byte(s.errorStrategy)) // the flag let only known names in
	return cfg, s.connect(cfg, lookup)
}

// requestConfig is the part of the configuration that decides what a request is.
func (s *settings) requestConfig(in *input, tools *toolbox) *pipeline.Config {
	cfg := &pipeline.Config{
		Model: s.model, SystemPrompt: s.systemPrompt, Tools: tools.tools, Params: s.params,
		MaxToolIterations: zeroIsNone(s.maxToolIterations),
		Schema:            s.schema, MaxRepairs: zeroIsNone(s.maxRepairs), SchemaInPrompt: s.schemaInPrompt,
		EmbedBatch: s.embedBatch, KeepRaw: s.keepsRaw(in.format),
	}
	if in.format == formatBatch {
		cfg.Schema = nil // the bodies say themselves what form answers have
	}
	if in.rows {
		cfg.SystemPrompt = "" // a template, which each row's request has filled in
	}
	return cfg
}

// connect says where the calls go and with which keys. .env is not part of the process's environment, so that the variables
// are looked up for the processor.
func (s *settings) connect(cfg *pipeline.Config, lookup lookupFunc) error {
	cfg.BaseURL, cfg.APIKeys = s.baseURL, s.apiKeys
	cfg.Getenv = func(name string) string {
		value, _ := lookup(name)
		return value
	}
	name, _ := llm.SplitModel(s.model)
	provider, err := llm.LookupProvider(name)
	if err != nil {
		return nil // the processor has more to say about it
	}
	_, key := provider.FromEnv(cfg.Getenv)
	// A server of the user's own may need no key.
	if key == "" && len(cfg.APIKeys) == 0 && s.baseURL == "" && !provider.KeyOptional {
		return usagef("%s needs an API key: set %s in the environment or in .env, or give --api-key-file", name, provider.KeyVar)
	}
	return nil
}

// flagOf returns the flag for a field of the configuration. Other fields can't be wrong once their flags are read.
var flagOf = map[string]string{"Model": "model", "BaseURL": "base-url", "Params": "param", "Tools": "tools", "Schema": "schema"}

// newProcessor returns the processor. Where the configuration is wrong, it tells which flag, variable or key it comes from.
func (a *app) newProcessor(cfg *pipeline.Config) (*pipeline.BatchProcessor, error) {
	processor, err := pipeline.NewBatchProcessor(cfg)
	if wrong, ok := errors.AsType[*pipeline.ConfigError](err); ok {
		if flag := flagOf[wrong.Field]; flag != "" {
			return nil, usagef("%s: %w", a.nameOf(flag), wrong.Err)
		}
		return nil, &usageError{wrong.Err}
	}
	if err != nil {
		return nil, &usageError{err}
	}
	return processor, nil
}

// zeroIsNone turns the command line's 0 into the configuration's -1, where 0 is the default.
func zeroIsNone[T int | time.Duration](n T) T {
	if n == 0 {
		return -1
	}
	return n
}

// newLogger logs to w. level and format are checked by their flags.
func newLogger(w io.Writer, level, format string) *zap.Logger {
	at, err := zapcore.ParseLevel(level)
	if err != nil {
		at = zapcore.WarnLevel
	}
	encoding := zap.NewProductionEncoderConfig()
	encoding.EncodeTime = zapcore.ISO8601TimeEncoder
	encoding.EncodeDuration = zapcore.StringDurationEncoder
	encoder := zapcore.NewJSONEncoder(encoding)
	if format == "console" {
		encoding.EncodeTime = zapcore.TimeEncoderOfLayout(time.TimeOnly)
		encoding.EncodeLevel = zapcore.CapitalLevelEncoder
		encoder = zapcore.NewConsoleEncoder(encoding)
	}
	return zap.New(zapcore.NewCore(encoder, zapcore.AddSync(w), at))
}
