package main

import (
	"errors"

	"github.com/redpanda-data/benthos/v4/public/service"

	"github.com/gluepipe/gluepipe/stages"
	"github.com/gluepipe/gluepipe/stages/llm"
	"github.com/gluepipe/gluepipe/stages/tool"
)

// register adds the processor to an environment of Redpanda Connect.
func register(env *service.Environment) error {
	return env.RegisterBatchProcessor("gluepipe", configSpec(), newFromConfig)
}

func configSpec() *service.ConfigSpec {
	return service.NewConfigSpec().
		Summary("Asks a model about each message, and puts the answer in the message's place.").
		Description("A message whose request fails keeps its content and is marked as failed, for `catch` and its like. "+
			"The answer's metadata are gluepipe_model, gluepipe_tokens, gluepipe_attempts and gluepipe_tool_calls.").
		Fields(
			service.NewStringField("model").Description("provider:model").Example("openai:gpt-4o-mini"),
			service.NewStringField("base_url").Description("Where the chat completions are, up to /v1.").Default(""),
			service.NewStringField("api_key").Description("By default the provider's environment variable.").Default("").Secret(),
			service.NewInterpolatedStringField("prompt").Description("By default the message's content.").
				Default("${! content() }"),
			service.NewStringField("system_prompt").Default(""),
			service.NewStringListField("tools").Description("Built-in tools that the model may call: calculate, now.").
				Default([]string{}),
			service.NewIntField("max_concurrent").Description("Model calls in flight, over all threads.").Default(64),
			service.NewIntField("max_attempts").Default(3),
			service.NewIntField("rpm").Description("Requests a minute; 0: no limit.").Default(0),
			service.NewDurationField("timeout").Description("Of one model call.").Default("10m"),
		)
}

// newFromConfig makes the processor. Redpanda Connect calls it once for each of its threads.
func newFromConfig(conf *service.ParsedConfig, resources *service.Resources) (service.BatchProcessor, error) {
	var failed error
	text := func(name string) string {
		value, err := conf.FieldString(name)
		failed = errors.Join(failed, err)
		return value
	}
	number := func(name string) int {
		value, err := conf.FieldInt(name)
		failed = errors.Join(failed, err)
		return value
	}
	names, err := conf.FieldStringList("tools")
	failed = errors.Join(failed, err)
	timeout, err := conf.FieldDuration("timeout")
	failed = errors.Join(failed, err)
	prompt, err := conf.FieldInterpolatedString("prompt")
	failed = errors.Join(failed, err)
	tools, err := tool.Select(tool.Builtins(), names...)
	failed = errors.Join(failed, err)
	server := connection{
		model: text("model"), baseURL: text("base_url"), apiKey: text("api_key"),
		maxConcurrent: number("max_concurrent"), limits: llm.Limits{RPM: number("rpm")},
	}
	defaults := stages.Defaults{Model: server.model, SystemPrompt: text("system_prompt"), Tools: tools, Timeout: timeout}
	retry := stages.RetryPolicy{MaxAttempts: number("max_attempts")}
	if failed = errors.Join(failed, retry.Validate()); failed != nil {
		return nil, failed
	}
	if server.maxConcurrent < 1 {
		return nil, errors.New("max_concurrent: want 1 or more")
	}
	completer, free, err := server.connect()
	if err != nil {
		return nil, err
	}
	return &processor{
		prompt: prompt, defaults: defaults, retry: retry, completer: completer, maxConcurrent: server.maxConcurrent,
		free: free, log: resources.Logger(),
	}, nil
}
