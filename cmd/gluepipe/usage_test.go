package main

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func TestHelpTeachesByExample(t *testing.T) {
	for name, args := range map[string][]string{
		"help":         {"--help"},
		"help_run":     {"run", "--help"},
		"help_check":   {"help", "check"},
		"help_mock":    {"mock", "-h"},
		"help_tools":   {"tools", "-h"},
		"help_call":    {"tools", "call", "-h"},
		"help_version": {"version", "--help"},
	} {
		t.Run(name, func(t *testing.T) {
			got := gluepipe(t, "", nil, args...)
			require.Equal(t, exitOK, got.code)
			require.Empty(t, got.stderr)
			require.Contains(t, got.stdout, "Examples:")
			requireGolden(t, golden(t, name), got.stdout)
		})
	}
}

func TestNoCommandPrintsTheHelp(t *testing.T) {
	require.Equal(t, gluepipe(t, "", nil, "--help"), gluepipe(t, "", nil))
}

func TestCompletionPrintsAScript(t *testing.T) {
	got := gluepipe(t, "", nil, "completion", "bash")
	require.Equal(t, exitOK, got.code)
	require.Contains(t, got.stdout, "bash completion V2 for gluepipe")
}

func TestUsageErrorsAreOneLineAndExitWithTwo(t *testing.T) {
	inTempDir(t, map[string]string{
		"in.jsonl":   requests(1),
		"empty.keys": "# none yet\n",
	})
	for _, test := range []struct {
		name string
		env  env
		args []string
		want string
	}{
		{
			"unknown command", nil,
			[]string{"rnu"},
			"unknown command \"rnu\": want one of check, completion, mock, run, tools, version; see 'gluepipe --help'",
		},
		{
			"unknown flag", nil,
			[]string{"run", "in.jsonl", "--colour"},
			"unknown flag: --colour; see 'gluepipe run --help'",
		},
		{
			"no input", nil,
			[]string{"run"},
			"run needs an input: a file, or \"-\" for standard input; see 'gluepipe run --help'",
		},
		{
			"two inputs", nil,
			[]string{"check", "a", "b"},
			"check takes one input, got 2: a b; see 'gluepipe check --help'",
		},
		{
			"arguments where there are none", nil,
			[]string{"version", "2"},
			"version takes no arguments, got \"2\"; see 'gluepipe version --help'",
		},
		{
			"wrong number", nil,
			[]string{"run", "in.jsonl", "--rpm", "many"},
			"--rpm: want a whole number, got \"many\"; see 'gluepipe run --help'",
		},
		{
			"number too small", nil,
			[]string{"run", "in.jsonl", "-c", "0"},
			"--max-concurrent: want 1 or more, got 0; see 'gluepipe run --help'",
		},
		{
			"wrong duration", nil,
			[]string{"run", "in.jsonl", "--timeout", "soon"},
			"--timeout: want a duration such as 90s or 2m, or seconds, got \"soon\"; see 'gluepipe run --help'",
		},
		{
			"wrong choice", nil,
			[]string{"run", "in.jsonl", "--error-strategy", "panic"},
			"--error-strategy: want continue, fail_fast or skip, got \"panic\"; see 'gluepipe run --help'",
		},
		{
			"unknown tool", nil,
			[]string{"run", "in.jsonl", "--tools", "calculate,dig"},
			"--tools: unknown tool \"dig\"; the tools are: calculate, now; see 'gluepipe run --help'",
		},
		{
			"param without a value", nil,
			[]string{"run", "in.jsonl", "--param", "temperature"},
			"--param: want NAME=VALUE, got \"temperature\"; see 'gluepipe run --help'",
		},
		{
			"overwrite and rerun-failed", nil,
			[]string{"run", "in.jsonl", "-o", "out.jsonl", "--overwrite", "--rerun-failed"},
			"--overwrite and --rerun-failed: want one of the two; see 'gluepipe run --help'",
		},
		{
			"key file without a key", nil,
			[]string{"run", "in.jsonl", "--api-key-file", "empty.keys"},
			"--api-key-file: empty.keys holds no key: want one a line; see 'gluepipe run --help'",
		},
		{
			"missing prompt file", nil,
			[]string{"run", "in.jsonl", "--system-prompt", "@prompt.txt"},
			"--system-prompt: open prompt.txt: no such file or directory; see 'gluepipe run --help'",
		},
		{
			"response to standard output", nil,
			[]string{"run", "in.jsonl", "--response", "-"},
			"--response: want a file; standard output has the results; see 'gluepipe run --help'",
		},
		{
			"two outputs in one file", nil,
			[]string{"run", "in.jsonl", "-o", "out.jsonl", "--errors", "./out.jsonl"},
			"--errors: ./out.jsonl is written by --output already; choose another file; see 'gluepipe run --help'",
		},
		{
			"wrong value in the environment",
			env{"GLUEPIPE_RPM": "many"},
			[]string{"run", "in.jsonl"},
			"environment variable GLUEPIPE_RPM: want a whole number, got \"many\"; see 'gluepipe run --help'",
		},
		{
			"model without a provider", nil,
			[]string{"run", "in.jsonl", "--model", "gpt-4o"},
			"--model: \"gpt-4o\" names no provider: want provider:model, as in openai:gpt-4o; see 'gluepipe run --help'",
		},
		{
			"no model", nil,
			[]string{"run", "in.jsonl", "--model", ""},
			"--model: want provider:model, got nothing; see 'gluepipe run --help'",
		},
		{
			"unknown behaviour in the environment",
			env{"GLUEPIPE_MODEL": "mock:sing"},
			[]string{"run", "in.jsonl"},
			"environment variable GLUEPIPE_MODEL: model \"sing\": unknown behaviour \"sing\": want one of echo, flaky, fail, length, " +
				"refuse; see 'gluepipe run --help'",
		},
		{
			"param that no run can have",
			env{"GLUEPIPE_PARAM": "stream=true", "GLUEPIPE_MODEL": "mock:echo"},
			[]string{"run", "in.jsonl"},
			"environment variable GLUEPIPE_PARAM: \"stream\" is not supported: results are whole answers; see 'gluepipe run --help'",
		},
		{
			"tool given twice",
			env{"GLUEPIPE_MODEL": "mock:echo"},
			[]string{"run", "in.jsonl", "--tools", "now", "--tools", "now"},
			"--tools: \"now\" is there twice; see 'gluepipe run --help'",
		},
		{
			"wrong base URL",
			env{"GLUEPIPE_MODEL": "mock:echo"},
			[]string{"run", "in.jsonl", "--base-url", "localhost:8080"},
			"--base-url: the base URL is no URL: want one like https://api.openai.com/v1; see 'gluepipe run --help'",
		},
		{
			"rates of faults above 1", nil,
			[]string{"mock", "--error-rate", "0.7", "--reset-rate", "0.7"},
			"the rates of faults are more than 1 together; see 'gluepipe mock --help'",
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			got := gluepipe(t, "", test.env, test.args...)
			require.Equal(t, outcome{exitUsage, "", "gluepipe: " + test.want + "\n"}, got)
			require.NoFileExists(t, "out.jsonl")
		})
	}
}

func TestUnknownProvidersAndMissingKeysAreUsageErrors(t *testing.T) {
	inTempDir(t, map[string]string{"in.jsonl": requests(1)})
	got := gluepipe(t, "", nil, "run", "in.jsonl", "--model", "opneai:gpt-4o-mini")
	require.Equal(t, exitUsage, got.code)
	require.Contains(t, got.stderr, `gluepipe: --model: unknown provider "opneai": want one of anthropic, azure,`)
	require.Contains(t, got.stderr, "openai, openrouter")

	got = gluepipe(t, "", nil, "run", "in.jsonl", "-o", "out.jsonl")
	require.Equal(t, outcome{exitUsage, "", "gluepipe: openai needs an API key: set OPENAI_API_KEY in the environment or in .env, " +
		"or give --api-key-file; see 'gluepipe run --help'\n"}, got)
	require.NoFileExists(t, "out.jsonl")
}

func TestMissingInputBreaksTheRun(t *testing.T) {
	inTempDir(t, nil)
	got := gluepipe(t, "", nil, "run", "in.jsonl", "-o", "out.jsonl", "--model", "mock:echo")
	require.Equal(t, outcome{exitBroken, "", "gluepipe: open in.jsonl: no such file or directory\n"}, got)
	require.NoFileExists(t, "out.jsonl")
}

func TestTheShellCompletesChoices(t *testing.T) {
	got := gluepipe(t, "", nil, "__complete", "run", "--error-strategy", "")
	require.Equal(t, "continue\nfail_fast\nskip\n:4\n", got.stdout)
}
