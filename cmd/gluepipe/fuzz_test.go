package main

import (
	"encoding/json"
	"errors"
	"io"
	"os"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/spf13/pflag"
	"github.com/stretchr/testify/require"

	"github.com/gluepipe/gluepipe/pipeline"
)

// loaded returns the settings of run as gluepipe.yaml and .env in the working directory make them.
func loaded(t *testing.T) (*settings, lookupFunc, error) {
	t.Helper()
	a := &app{
		stdio:   stdio{strings.NewReader(""), io.Discard, io.Discard},
		lookup:  func(string) (string, bool) { return "", false },
		origins: map[string]string{},
	}
	s, flags := defaultSettings(), pflag.NewFlagSet("", pflag.ContinueOnError)
	s.runFlags(flags)
	lookup, err := a.loadSettings(flags, "", "")
	return s, lookup, err
}

// requireUsable says that settings are either refused as wrong usage, in words for people, or make a configuration that a
// processor takes or refuses by name.
func requireUsable(t *testing.T, s *settings, lookup lookupFunc, err error) {
	t.Helper()
	var usage *usageError
	if err != nil {
		require.ErrorAs(t, err, &usage, "%v", err)
		require.True(t, strings.Contains(err.Error(), defaultConfigFile) || strings.Contains(err.Error(), dotenvFile) ||
			strings.Contains(err.Error(), "reading the configuration"), "%v", err)
		return
	}
	require.Positive(t, s.maxConcurrent)
	require.GreaterOrEqual(t, s.timeout, 0*s.timeout)
	require.GreaterOrEqual(t, s.rpm, 0)
	cfg, err := s.pipelineConfig(lookup, &input{}, &toolbox{})
	if err != nil {
		require.ErrorAs(t, err, &usage)
		return
	}
	cfg.Model = "vllm:m" // which connects to nothing before the first call
	processor, err := pipeline.NewBatchProcessor(cfg)
	if err != nil {
		var wrong *pipeline.ConfigError
		require.True(t, errors.As(err, &wrong) && flagOf[wrong.Field] != "", "no flag let this in: %v", err)
		return
	}
	require.NoError(t, processor.Close())
}

// readsFiles tells whether settings may name files to read: what those hold is another matter.
func readsFiles(content string) bool {
	return strings.Contains(content, "@") || strings.Contains(strings.ToLower(content), "api") || strings.Contains(content, `\`)
}

func FuzzConfigurationFilesAreReadOrRefused(f *testing.F) {
	for _, seed := range []string{
		"", "model: vllm:m\nsystem_prompt: Be brief.\ntools: [now, calculate]\ntimeout: 2m\nretry_failed: true\n",
		"param:\n  temperature: 0\n  stop: [\"</s>\"]\n  logprobs: false\n", "param: [a=1, b=2]\n", "param: {a: .nan}\n",
		"param: {1: a, true: b, null: c, [d]: e}\n", "param: {a: &x [*x]}\n", "a: &a [1]\nparam: {b: *a}\n",
		"max_concurrent: lots\n", "model: [a, b]\n", "model: {a: b}\n", "concurrency: 3\n", "a: b: c\n", "- a\n", "text\n", "42\n",
		"model: ~\n", "rpm: 1e3\n", "rpm: 0x10\n", "rpm: -1\n", "timeout: -1s\n", "timeout: 1e300\n", "timeout: .inf\n",
		"max_line_bytes: 16MiB\n", "max_line_bytes: 99999999999999999999\n", "hedge_after: p95\n", "hedge_after: 10\n",
		"model: a\nmodel: b\n", "<<: {model: a}\n", "<<: *a\n", "mock_rpm: 3\nmock_latency: 1s\n", "\xff\xfe", "\x00", "\t- a", "%YAML 9.9\n---\n",
		"model: vllm:m\n---\nmodel: other\n", "tools: [[now]]\n", "tools: [{a: b}]\n", "model: !!binary aGk=\n", "deadline: 2001-12-14\n",
		"model.x: y\n", "param.a: 1\n", ".: a\n", "\"\": a\n", "error_strategy: SKIP\n", "base_url: \"http://a b/\"\n", "base_url: ':'\n",
	} {
		f.Add(seed)
	}
	dir := f.TempDir()
	f.Fuzz(func(t *testing.T, content string) {
		if readsFiles(content) {
			return
		}
		t.Chdir(dir)
		require.NoError(t, os.WriteFile(defaultConfigFile, []byte(content), 0o600))
		s, lookup, err := loaded(t)
		requireUsable(t, s, lookup, err)
	})
}

func FuzzDotenvFilesAreReadOrRefused(f *testing.F) {
	for _, seed := range []string{
		"", "GLUEPIPE_MODEL=vllm:m\n", "export GLUEPIPE_RPM=3 # comment\n", "GLUEPIPE_RPM='3'\n", "GLUEPIPE_RPM=\"3\n", "GLUEPIPE_RPM: 3\n",
		"GLUEPIPE_RPM=fast\n", "A=1\nB=${A}\nGLUEPIPE_RPM=$A\n", "A=$A\n", "A=${\n", "A=$(\n", "=\n", "==\n", "A\n", "\xff=1\n", "A=\x00\n",
		"GLUEPIPE_PARAM={\"seed\": 1}\n", "GLUEPIPE_PARAM='{\"seed\": 1}'\n", "GLUEPIPE_TIMEOUT=90\r\n", "\uFEFFGLUEPIPE_RPM=1\n", "# only\n",
		"GLUEPIPE_CONFIG=other.yaml\n", "GLUEPIPE_HEDGE_AFTER=p99.9\n", "OPENAI KEY\n", "'", "\"", "a='", "export\n", "export =\n",
	} {
		f.Add(seed)
	}
	dir := f.TempDir()
	f.Fuzz(func(t *testing.T, content string) {
		if readsFiles(content) || strings.Contains(content, "CONFIG") {
			return
		}
		t.Chdir(dir)
		require.NoError(t, os.WriteFile(dotenvFile, []byte(content), 0o600))
		s, lookup, err := loaded(t)
		requireUsable(t, s, lookup, err)
	})
}

// FuzzFlagsTakeWhatTheyShow says of every flag that it refuses a text and stays as it is, or takes it and takes again what
// it then shows.
func FuzzFlagsTakeWhatTheyShow(f *testing.F) {
	for _, seed := range []string{
		"", "0", "1", "-1", "+1", "1.5", "1e3", "1e999", "0x10", "9223372036854775807", "9223372036854775808", "NaN", "Inf", "-Inf", "90s", "1h2m",
		"1ns", "2562047h47m16.854775807s", "2562047h47m17s", "9223372036", "9223372037", "0.5", ".5", "1_000", "64MiB", "64 mb", "0.0000001KiB",
		"1PiB", "p95", "P99.99", "p100", "p1e1", "pNaN", "true", "T", "skip", "a=1", "a=", "=a", "{}", `{"a":[1]}`, `{"a":1`, "now,calculate", ",", "\xff",
		"vllm:m", ":", "\u0661",
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		fresh := func() *pflag.FlagSet {
			flags := pflag.NewFlagSet("", pflag.ContinueOnError)
			defaultSettings().runFlags(flags)
			return flags
		}
		flags := fresh()
		flags.VisitAll(func(flag *pflag.Flag) {
			text := text
			switch flag.Value.(type) {
			case keysValue, promptValue, schemaValue: // they read files
				return
			case paramsValue: // it shows JSON, which holds valid UTF-8 alone
				text = strings.ToValidUTF8(text, "\uFFFD")
			}
			before := flag.Value.String()
			if err := flag.Value.Set(text); err != nil {
				require.Equal(t, before, flag.Value.String(), flag.Name)
				require.True(t, utf8.ValidString(err.Error()), "%s: %q", flag.Name, err)
				require.NotContains(t, err.Error(), "\n", flag.Name)
				return
			}
			shown := flag.Value.String()
			if shown == "" { // help tells in words what that means
				return
			}
			again := fresh().Lookup(flag.Name).Value
			require.NoError(t, again.Set(shown), "%s shows %q for %q", flag.Name, shown, text)
			require.Equal(t, shown, again.String(), flag.Name)
		})
	})
}

func FuzzDefinitions(f *testing.F) {
	for _, seed := range []string{
		"mcp:\n  files: npx -y server ./docs\n  search: {url: 'https://example.com/mcp', headers: {A: '${B}'}}\n",
		"mcp: [npx server]\n", "mcp:\n  a: &a {command: [x], args: [y], env: [P], dir: z, max_restarts: 0}\n  b: *a\n",
		"custom_tools:\n- {name: a, command: [echo, '{{.x}}'], parameters: {type: object, properties: {x: {type: [string, 'null']}}}}\n",
		"custom_tools:\n- {name: a, url: 'http://h/{{.x}}', method: POST, timeout: 5s, max_output: 1MiB, read_only: yes}\n",
		"custom_tools: &a\n- parameters: &b {c: *b}\n  name: x\n", "custom_tools:\n- name: x\n  parameters: {a: .inf, b: 2001-12-14, c: !!binary aGk=}\n",
		"mcp: {? [a] : b}\n", "mcp: {a: {env: {b: c, <<: {d: e}}}}\n", "custom_tools: [[]]\n", "\xff", "mcp: 'a\n",
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, file string) {
		d, err := readDefinitions("gluepipe.yaml", []byte(file))
		if err != nil {
			var usage *usageError
			require.ErrorAs(t, err, &usage)
			return
		}
		for _, defined := range d.tools {
			require.NotEmpty(t, defined.Name)
			require.True(t, defined.Parameters == nil || json.Valid(defined.Parameters), "%s", defined.Parameters)
		}
		for name, server := range d.servers {
			require.Equal(t, name, server.Name)
			v := &variables{lookup: func(string) (string, bool) { return "", false }}
			if filled, err := server.fill(v); err == nil {
				require.NotEqual(t, len(filled.Command) > 0, filled.URL != "")
			}
		}
	})
}
