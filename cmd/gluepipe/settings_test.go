package main

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

// body runs --dry-run over one request and returns what would be sent.
func body(t *testing.T, environment env, args ...string) string {
	t.Helper()
	got := gluepipe(t, `{"user_message": "hi"}`, environment, append([]string{"run", "-", "--dry-run"}, args...)...)
	require.Empty(t, got.stderr)
	require.Equal(t, exitOK, got.code)
	return got.stdout
}

func TestFlagsWinOverEnvironmentOverDotenvOverFile(t *testing.T) {
	inTempDir(t, map[string]string{
		"gluepipe.yaml": "model: vllm:from-file\n",
		".env":          "GLUEPIPE_MODEL=vllm:from-dotenv\n",
	})
	environment := env{"GLUEPIPE_MODEL": "vllm:from-environment"}
	require.Contains(t, body(t, environment, "--model", "vllm:from-flag"), `"model":"from-flag"`)
	require.Contains(t, body(t, environment), `"model":"from-environment"`)
	require.Contains(t, body(t, nil), `"model":"from-dotenv"`)
	require.Contains(t, body(t, env{"GLUEPIPE_MODEL": ""}), `"model":"from-dotenv"`)

	inTempDir(t, map[string]string{"gluepipe.yaml": "model: vllm:from-file\n"})
	require.Contains(t, body(t, nil), `"model":"from-file"`)

	inTempDir(t, nil)
	require.Contains(t, body(t, nil), `"model":"gpt-4o-mini"`)
}

func TestTheFileHoldsListsAndParams(t *testing.T) {
	inTempDir(t, map[string]string{"other.yaml": `
model: vllm:m
system_prompt: Be brief.
tools: [now, calculate]
max_concurrent: 3
timeout: 2m
retry_failed: true
mock_latency: 1s
param:
  temperature: 0
  stop: ["</s>"]
  logprobs: false
`})
	require.Regexp(t, `^\{"model":"m","messages":\[\{"role":"system","content":"Be brief\."\},.*`+
		`"name":"now".*"name":"calculate".*\],"logprobs":false,"stop":\["</s>"\],"temperature":0\}`+"\n$",
		body(t, nil, "--config", "other.yaml"))
	require.NotContains(t, body(t, env{"GLUEPIPE_PARAM": `{"seed": 1}`, "GLUEPIPE_CONFIG": "other.yaml"}), "temperature")
}

func TestParamsAreJSONOrText(t *testing.T) {
	inTempDir(t, map[string]string{"prompt.txt": "Answer in French.\n"})
	require.Equal(t,
		`{"model":"gpt-4o-mini","messages":[{"role":"system","content":"Answer in French."},`+
			`{"role":"user","content":"hi"}],"effort":"low","seed":1,"stop":["<a>"],"temperature":0,"user":"a=b"}`+"\n",
		body(t, nil, "--param", "temperature=0", "--param", `stop=["<a>"]`, "--param", "effort=low", "--param", "user=a=b",
			"--param", `{"seed":1}`, "--system-prompt", "@prompt.txt"))
}

func TestWrongSettingsNameWhereTheyStand(t *testing.T) {
	for _, test := range []struct {
		name  string
		files map[string]string
		want  string
	}{
		{
			"wrong value",
			map[string]string{"gluepipe.yaml": "max_concurrent: lots\n"},
			`gluepipe.yaml: max_concurrent: want a whole number, got "lots"`,
		},
		{
			"list for one value",
			map[string]string{"gluepipe.yaml": "model: [a, b]\n"},
			`gluepipe.yaml: model: want one value, got a list`,
		},
		{
			"mapping for one value",
			map[string]string{"gluepipe.yaml": "model: {a: b}\n"},
			`gluepipe.yaml: model: want one value, got a mapping`,
		},
		{
			"unknown key",
			map[string]string{"gluepipe.yaml": "concurrency: 3\n"},
			`gluepipe.yaml: unknown key "concurrency"`,
		},
		{
			"a key with the flag's dashes",
			map[string]string{"gluepipe.yaml": "abort-after: 3\n"},
			`gluepipe.yaml: unknown key "abort-after": want abort_after`,
		},
		{
			"not YAML",
			map[string]string{"gluepipe.yaml": "a: b: c\n"},
			`gluepipe.yaml: yaml: mapping values are not allowed in this context`,
		},
		{
			"a secret in the file",
			map[string]string{"gluepipe.yaml": "openai_api_key: sk-secret\n"},
			`gluepipe.yaml: openai_api_key: keys don't belong into a configuration file; ` +
				`set the provider's environment variable, or api_key_file`,
		},
		{
			"a secret by the name of its variable",
			map[string]string{"gluepipe.yaml": "OPENAI_API_KEY: sk-secret\n"},
			`gluepipe.yaml: OPENAI_API_KEY: keys don't belong into a configuration file; ` +
				`set the provider's environment variable, or api_key_file`,
		},
		{
			"an unknown provider in the file",
			map[string]string{"gluepipe.yaml": "model: openai\n"},
			`gluepipe.yaml: model: "openai" names no provider: want provider:model, as in openai:openai`,
		},
		{
			"nothing but a secret",
			map[string]string{"gluepipe.yaml": "sk-secret\n"},
			`gluepipe.yaml: want lines of the form key: value`,
		},
		{
			"a wrong value in .env",
			map[string]string{".env": "GLUEPIPE_RPM=fast\n"},
			`.env: GLUEPIPE_RPM: want a whole number, got "fast"`,
		},
		{
			"a broken .env",
			map[string]string{".env": "OPENAI API KEY sk-secret\n"},
			`.env: want lines of the form NAME=value`,
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			inTempDir(t, test.files)
			got := gluepipe(t, "", nil, "run", "-")
			require.Equal(t, outcome{exitUsage, "", "gluepipe: " + test.want + "; see 'gluepipe run --help'\n"}, got)
		})
	}
}

func TestADirectoryNamedDotenvIsNoneOfOurs(t *testing.T) {
	dir := inTempDir(t, nil)
	require.NoError(t, os.Mkdir(filepath.Join(dir, ".env"), 0o755))
	require.Equal(t, exitOK, gluepipe(t, requests(1), nil, "run", "-", "--model", "mock:echo").code)
}

func TestAConfigurationFileThatWasAskedForMustExist(t *testing.T) {
	inTempDir(t, nil)
	got := gluepipe(t, "", nil, "check", "-", "--config", "gluepipe.yaml")
	require.Equal(t, exitUsage, got.code)
	require.Equal(t, "gluepipe: reading the configuration: open gluepipe.yaml: no such file or directory; "+
		"see 'gluepipe check --help'\n", got.stderr)
}

func TestDurationsAreGoDurationsOrSeconds(t *testing.T) {
	s := defaultSettings()
	for text, want := range map[string]string{"90s": "1m30s", "30": "30s", "0.5": "500ms", "2h": "2h", "0": ""} {
		value := durationValue{&s.timeout}
		require.NoError(t, value.Set(text))
		require.Equal(t, want, value.String())
	}
}
