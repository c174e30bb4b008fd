package main

import (
	"time"

	"github.com/spf13/pflag"

	"github.com/gluepipe/gluepipe/stages/llm"
)

// settings is what can be said about a run, by flags, environment variables and gluepipe.yaml.
type settings struct {
	config string
	data
	toolSettings

	// What shapes a request, and so its fingerprint.
	model        string
	systemPrompt string
	params       map[string]any

	// What is read and written.
	output       string
	errors       string
	response     string
	overwrite    bool
	rerunFailed  bool
	fsync        string
	limit        int
	maxLineBytes int64
	dryRun       bool

	// How the requests are run.
	baseURL          string
	apiKeys          []string
	maxConcurrent    int
	adaptive         bool
	maxPending       int
	errorStrategy    string
	abortAfter       int
	retryFailed      bool
	maxAttempts      int
	timeout          time.Duration
	requestTimeout   time.Duration
	deadline         time.Duration
	grace            time.Duration
	rpm              int
	tpm              int
	maxRateLimitWait time.Duration
	hedge            llm.HedgeConfig
	maxResponseBytes int64
	ordered          bool
	allowTruncated   bool

	// What people see of it.
	progress  string
	logLevel  string
	logFormat string
}

func defaultSettings() *settings {
	return &settings{
		model: "openai:gpt-4o-mini", maxLineBytes: 16 << 20, fsync: "interval",
		maxConcurrent: 5, adaptive: true, errorStrategy: "continue", abortAfter: 100,
		timeout: 10 * time.Minute,
		grace:   30 * time.Second, maxRateLimitWait: 15 * time.Minute, maxResponseBytes: 64 << 20,
		progress: "auto", logLevel: "warn", logFormat: "console",
		data:         data{inputFormat: formatAuto, outputFormat: formatAuto, table: "results", maxRepairs: 1, embedBatch: 64},
		toolSettings: defaultToolSettings(),
	}
}

// runFlags adds the flags of run.
func (s *settings) runFlags(flags *pflag.FlagSet) {
	s.requestFlags(flags)
	section(flags, "Tools", func() { s.callFlags(flags) })
	section(flags, "Output", func() { s.outputFlags(flags) })
	section(flags, "Provider", func() { s.providerFlags(flags) })
	section(flags, "Pace", func() { s.paceFlags(flags) })
	section(flags, "Failures", func() { s.failureFlags(flags) })
	section(flags, "Display", func() { s.displayFlags(flags) })
}

// checkFlags adds the flags of check: those that decide what a request is.
func (s *settings) checkFlags(flags *pflag.FlagSet) {
	section(flags, "Output", func() { s.outputFlag(flags, "tell what of the input is done in this file") })
	s.requestFlags(flags)
}

func (s *settings) requestFlags(flags *pflag.FlagSet) {
	section(flags, "Input", func() {
		s.inputFlags(flags)
		count(flags, &s.limit, "limit", 1, "only the first N requests of the input")
		size(flags, &s.maxLineBytes, "max-line-bytes", "a longer line, record or file is a failed request")
	})
	section(flags, "Rows", func() { s.rowFlags(flags) })
	section(flags, "Requests", func() {
		flags.Var(modelValue{textValue{&s.model, "PROVIDER:MODEL"}}, "model", "of requests that name none")
		toggle(flags, &s.overrideModel, "override-model", "use --model in place of the models that an OpenAI batch file names")
		flags.Var(promptValue{&s.systemPrompt}, "system-prompt", "of requests that bring none; for rows, a template")
		s.answerFlags(flags)
		flags.Var(paramsValue{&s.params}, "param", "a field of the body, such as temperature=0 or stop='[\"END\"]'; repeatable")
		s.configFlag(flags)
	})
	section(flags, "Tools", func() { s.choiceFlags(flags); s.turnFlag(flags) })
}

func (s *settings) configFlag(flags *pflag.FlagSet) {
	text(flags, &s.config, "config", "FILE", "settings in YAML (default gluepipe.yaml, if it exists)")
}

func (s *settings) outputFlag(flags *pflag.FlagSet, usage string) {
	flags.VarP(textValue{&s.output, "FILE"}, "output", "o", usage)
}

func (s *settings) outputFlags(flags *pflag.FlagSet) {
	s.outputFlag(flags, "write results here; what exists is continued (default standard output)")
	format(flags, &s.outputFormat, "output-format", "of the output; auto is by its name, else as the input's", outputFormats)
	flags.Var(tableValue{textValue{&s.table, "NAME"}}, "table", "the table, where the output is a database: postgres://... or sqlite:FILE")
	text(flags, &s.errors, "errors", "FILE", "write failed results here, and only successes to the output")
	text(flags, &s.response, "response", "FILE", "write all results and their summary here, as one JSON object")
	toggle(flags, &s.overwrite, "overwrite", "start over: replace an output that exists")
	toggle(flags, &s.rerunFailed, "rerun-failed", "continue an output and do its failed requests again")
	choice(flags, &s.fsync, "fsync", "when results are flushed to the disk: each second, after each batch, or by the system",
		"interval", "always", "never")
	toggle(flags, &s.ordered, "ordered", "write results in the order of the input")
	toggle(flags, &s.dryRun, "dry-run", "print the bodies that would be sent, and call no model")
}

func (s *settings) providerFlags(flags *pflag.FlagSet) {
	text(flags, &s.baseURL, "base-url", "URL", "where the chat completions are, up to /v1 (default the provider's)")
	flags.Var(keysValue{&s.apiKeys}, "api-key-file", "read the API key from this file; several lines are several keys")
	size(flags, &s.maxResponseBytes, "max-response-bytes", "a larger answer is a failed call")
}

func (s *settings) paceFlags(flags *pflag.FlagSet) {
	flags.VarP(countValue{&s.maxConcurrent, 1}, "max-concurrent", "c", "model calls in flight at once")
	toggle(flags, &s.adaptive, "adaptive", "have fewer in flight where the provider bears no more")
	count(flags, &s.maxPending, "max-pending", 1, "requests between input and output (default 4 x max-concurrent, at least 256)")
	count(flags, &s.rpm, "rpm", 0, "requests per minute, for each key (default no limit)")
	count(flags, &s.tpm, "tpm", 0, "tokens per minute, for each key (default no limit)")
	duration(flags, &s.maxRateLimitWait, "max-rate-limit-wait", "of one model call, over all its waits; 0: no bound")
	flags.Var(hedgeValue{&s.hedge}, "hedge-after",
		"make a slower call a second time, at most 1 in 20; p95: slower than 95% before it (default never)")
}

func (s *settings) failureFlags(flags *pflag.FlagSet) {
	choice(flags, &s.errorStrategy, "error-strategy", "what a failed request does to the run", "continue", "fail_fast", "skip")
	count(flags, &s.abortAfter, "abort-after", 0, "stop after so many failures of one kind without a success, or a minute without a server; 0: never")
	toggle(flags, &s.retryFailed, "retry-failed", "try once more what can succeed")
	count(flags, &s.maxAttempts, "max-attempts", 1, "attempts of what can succeed, the first included (default 1)")
	toggle(flags, &s.allowTruncated, "allow-truncated", "take an answer cut at its token limit for a success")
	duration(flags, &s.timeout, "timeout", "of one model call; 0: none")
	duration(flags, &s.requestTimeout, "request-timeout", "of one request: attempts, tools and backoffs (default none)")
	duration(flags, &s.deadline, "deadline", "of the whole run (default none)")
	duration(flags, &s.grace, "grace", "from SIGTERM until a run is cancelled, and for the last writes of one that was")
}

func (s *settings) displayFlags(flags *pflag.FlagSet) {
	choice(flags, &s.progress, "progress", "on standard error: a bar on a terminal, else a line every 5 seconds",
		"auto", "bar", "plain", "none")
	s.logFlags(flags)
}

func (s *settings) logFlags(flags *pflag.FlagSet) {
	choice(flags, &s.logLevel, "log-level", "logs on standard error", "debug", "info", "warn", "error")
	choice(flags, &s.logFormat, "log-format", "of the logs", "console", "json")
}

func text(flags *pflag.FlagSet, to *string, name, kind, usage string) {
	flags.Var(textValue{to, kind}, name, usage)
}

func toggle(flags *pflag.FlagSet, to *bool, name, usage string) {
	flags.VarPF(boolValue{to}, name, "", usage).NoOptDefVal = "true"
}

func count(flags *pflag.FlagSet, to *int, name string, atLeast int, usage string) {
	flags.Var(countValue{to, atLeast}, name, usage)
}

func size(flags *pflag.FlagSet, to *int64, name, usage string) {
	flags.Var(sizeValue{to}, name, usage)
}

func duration(flags *pflag.FlagSet, to *time.Duration, name, usage string) {
	flags.Var(durationValue{to}, name, usage)
}

func share(flags *pflag.FlagSet, to *float64, name, usage string) {
	flags.Var(shareValue{to}, name, usage)
}

func choice(flags *pflag.FlagSet, to *string, name, usage string, choices ...string) {
	flags.Var(choiceValue{to, choices}, name, usage)
}
