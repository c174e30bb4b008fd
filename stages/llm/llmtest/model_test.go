package llmtest_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/gluepipe/gluepipe/stages/llm/llmtest"
)

func TestParseModelReadsBehaviourAndParameters(t *testing.T) {
	cfg, err := llmtest.ParseModel("flaky?latency=20ms&jitter=0.5&error_rate=0.1&truncate_rate=0.2&empty_rate=0.05" +
		"&reset_rate=0.15&hang_rate=0.25&body_reset_rate=0.02&rpm=600&burst=10&max_in_flight=3&no_limit_headers=true" +
		"&whole_seconds=true&seed=-7")
	require.NoError(t, err)
	require.Equal(t, llmtest.Config{
		Behaviour: "flaky", Latency: 20 * time.Millisecond, Jitter: 0.5, ErrorRate: 0.1, TruncateRate: 0.2, EmptyRate: 0.05,
		ResetRate: 0.15, HangRate: 0.25, BodyResetRate: 0.02, RPM: 600, Burst: 10, MaxInFlight: 3, NoLimitHeaders: true,
		WholeSeconds: true, Seed: -7,
	}, cfg)
	cfg, err = llmtest.ParseModel("echo?rpm=60&window=10s")
	require.NoError(t, err)
	require.Equal(t, llmtest.Config{Behaviour: "echo", RPM: 60, Window: 10 * time.Second}, cfg)
}

func TestParseModelSaysWhatItWants(t *testing.T) {
	for name, want := range map[string]string{
		"gpt-4":                             `model "gpt-4": unknown behaviour "gpt-4": want one of echo, flaky, fail, length, refuse`,
		"echo?speed=9":                      `unknown parameter "speed": want one of latency, jitter, error_rate,`,
		"echo?latency=20":                   `latency: want a duration such as 20ms, got "20"`,
		"echo?latency=-1s":                  `latency must not be negative`,
		"echo?rpm=many":                     `rpm: want a whole number, got "many"`,
		"echo?rpm=-1":                       `rpm must not be negative`,
		"echo?burst=3":                      `burst needs rpm`,
		"echo?window=1s":                    `window needs rpm`,
		"echo?rpm=1&window=-1s":             `window must not be negative`,
		"echo?rpm=1&burst=1&window=1s":      `window and burst exclude each other`,
		"echo?window=9":                     `window: want a duration such as 1m, got "9"`,
		"echo?max_in_flight=-1":             `max_in_flight must not be negative`,
		"echo?no_limit_headers=maybe":       `no_limit_headers: want true or false, got "maybe"`,
		"echo?whole_seconds=2":              `whole_seconds: want true or false, got "2"`,
		"echo?seed=x":                       `seed: want a whole number`,
		"echo?error_rate=2":                 `error_rate must be from 0 to 1, got 2`,
		"echo?error_rate=NaN":               `error_rate must be from 0 to 1`,
		"echo?jitter=-1":                    `jitter must be from 0 to 1`,
		"echo?hang_rate=0.6&reset_rate=0.6": `the rates must be at most 1 together`,
		"echo?hang_rate=1&hang_rate=0":      `parameter hang_rate is given twice`,
		"echo?%zz":                          `invalid URL escape`,
	} {
		t.Run(name, func(t *testing.T) {
			_, err := llmtest.ParseModel(name)
			require.ErrorContains(t, err, want)
		})
	}
}

func TestModelNamesChooseTheBehaviour(t *testing.T) {
	_, client := start(t, llmtest.Config{})
	require.Equal(t, 503, client.ask("flaky", "one").status)
	require.Equal(t, "one", *client.ask("flaky", "one").completion(t).Choices[0].Message.Content)
	require.Equal(t, 503, client.ask("flaky", "two").status)

	a := client.ask("fail", "hi")
	require.Equal(t, 500, a.status)
	require.Equal(t, "server_error", a.completion(t).Error.Type)

	choice := client.ask("length", "abcdef").completion(t).Choices[0]
	require.Equal(t, "length", choice.FinishReason)
	require.Equal(t, "abc", *choice.Message.Content)

	choice = client.ask("refuse", "hi").completion(t).Choices[0]
	require.Nil(t, choice.Message.Content)
	require.NotEmpty(t, *choice.Message.Refusal)
	require.Equal(t, "stop", choice.FinishReason)

	c := client.ask("gpt-4o?latency=1us", "hi").completion(t)
	require.Equal(t, "hi", *c.Choices[0].Message.Content)
	require.Equal(t, "gpt-4o?latency=1us", c.Model)
}

func TestConfigChoosesTheBehaviourOfOtherModelNames(t *testing.T) {
	_, client := start(t, llmtest.Config{Behaviour: "fail"})
	require.Equal(t, 500, client.ask("gpt-4o", "hi").status)
	require.Equal(t, 500, client.ask("gpt-4o?jitter=0", "hi").status)
	require.Equal(t, 200, client.ask("echo", "hi").status)
}

func TestParametersOfAModelsNameHoldForItsRequestsAlone(t *testing.T) {
	_, client := start(t, llmtest.Config{ErrorRate: 1})
	require.GreaterOrEqual(t, client.ask("echo", "hi").status, 500)
	require.Equal(t, 200, client.ask("echo?error_rate=0", "hi").status)
	require.GreaterOrEqual(t, client.ask("echo", "hi").status, 500)

	a := client.ask("echo?error_rate=0&rpm=1", "hi")
	require.Equal(t, 200, a.status)
	require.Equal(t, "1", a.header.Get("X-Ratelimit-Limit-Requests"))
	require.Equal(t, 429, client.ask("echo?error_rate=0&rpm=1", "hi").status)
	require.Empty(t, client.ask("echo?error_rate=0", "hi").header.Get("X-Ratelimit-Limit-Requests"))
}

func TestParametersThatDontTouchTheLimitShareTheServersOwn(t *testing.T) {
	_, client := start(t, llmtest.Config{RPM: 1})
	require.Equal(t, 200, client.ask("echo", "hi").status)
	require.Equal(t, 429, client.ask("echo?seed=1", "hi").status)
	require.Equal(t, 429, client.ask("refuse", "hi").status)
}

func TestAModelNameWithUnknownParametersIsRefused(t *testing.T) {
	_, client := start(t, llmtest.Config{})
	a := client.ask("echo?speed=9", "hi")
	require.Equal(t, 400, a.status)
	require.Equal(t, "model", a.completion(t).Error.Param)
	require.Contains(t, a.completion(t).Error.Message, `unknown parameter "speed"`)
}
