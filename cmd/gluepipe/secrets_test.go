package main

import (
	"bytes"
	"encoding/base64"
	"fmt"
	"io/fs"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// secret returns a value that is found wherever it turns up.
func secret(name string) string { return "sk-SECRET-" + name + "-0123456789" }

// gossip repeats everything it was sent, in the way that the last word of a prompt asks for.
func gossip(w http.ResponseWriter, r *http.Request) {
	var body bytes.Buffer
	_, _ = body.ReadFrom(r.Body)
	basic := strings.TrimPrefix(r.Header.Get("Authorization"), "Basic ")
	decoded, _ := base64.StdEncoding.DecodeString(basic)
	said := fmt.Sprintf("%v %s %s", r.Header, decoded, r.URL)
	way := body.String()
	switch {
	case strings.Contains(way, "answer-401"):
		w.WriteHeader(http.StatusUnauthorized)
		fmt.Fprintf(w, `{"error": {"message": %q, "code": %q}}`, said, r.Header.Get("Authorization"))
	case strings.Contains(way, "answer-500"):
		w.Header().Set("X-Request-Id", said)
		w.WriteHeader(http.StatusInternalServerError)
		fmt.Fprint(w, said)
	case strings.Contains(way, "answer-redirect"):
		w.Header().Set("Location", "https://user:pw@example.com/"+url.PathEscape(said)+"?q="+url.QueryEscape(said))
		w.WriteHeader(http.StatusFound)
	case strings.Contains(way, "answer-nonsense"):
		fmt.Fprint(w, said)
	case strings.Contains(way, "answer-hangup"):
		if conn, _, err := http.NewResponseController(w).Hijack(); err == nil {
			_, _ = fmt.Fprintf(conn, "HTTP/1.1 %s\r\n\r\n", said)
			_ = conn.Close()
		}
	default:
		fmt.Fprint(w, `{"model": "m", "choices": [{"message": {"content": "fine"}, "finish_reason": "stop"}]}`)
	}
}

// tunnel is a proxy that refuses with all it was sent.
func tunnel(w http.ResponseWriter, r *http.Request) {
	if r.Method != http.MethodConnect {
		gossip(w, r)
		return
	}
	if conn, _, err := http.NewResponseController(w).Hijack(); err == nil {
		_, _ = fmt.Fprintf(conn, "HTTP/1.1 407 %s\r\n\r\n", r.Header)
		_ = conn.Close()
	}
}

const gossipRequests = `{"id": "fine", "user_message": "answer-200"}
{"id": "refused", "user_message": "answer-401"}
{"id": "broken", "user_message": "answer-500"}
{"id": "moved", "user_message": "answer-redirect"}
{"id": "nonsense", "user_message": "answer-nonsense"}
{"id": "hangup", "user_message": "answer-hangup"}
{"id": "bad", "user_message": 7}
`

func TestNoSecretIsEverPrintedOrWritten(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(gossip))
	defer server.Close()
	proxy := httptest.NewServer(http.HandlerFunc(tunnel))
	defer proxy.Close()
	host, proxyHost := strings.TrimPrefix(server.URL, "http://"), strings.TrimPrefix(proxy.URL, "http://")

	known := []string{
		"OPENAI_API_KEY=" + secret("openai"), "GROQ_API_KEY=" + secret("groq"), "VLLM_API_KEY=" + secret("vllm"),
		"AZURE_OPENAI_API_KEY=" + secret("azure"),
		"AZURE_OPENAI_ENDPOINT=http://user:" + secret("endpoint") + "@" + host,
	}
	through := func(proxy string) []string {
		return []string{"HTTP_PROXY=" + proxy, "HTTPS_PROXY=" + proxy, "ALL_PROXY=" + proxy, "NO_PROXY="}
	}
	run := []string{
		"run", "in.jsonl", "-o", "out.jsonl", "--errors", "errors.jsonl", "--response", "response.json", "--max-attempts", "2",
		"--max-rate-limit-wait", "0.1", // who isn't there is waited for
	}
	keyFile := []string{"--api-key-file", "secret.keys"}
	inURL := "http://user:" + secret("url") + "@" + host + "/v1?key=" + secret("query") + "&api-version=1"
	proxyURL := "http://user:" + secret("proxy") + "@" + proxyHost
	for name, test := range map[string]struct {
		args []string
		env  []string
	}{
		"keys of the environment":      {args: append(run, "--model", "openai:m", "--base-url", server.URL)},
		"a key of .env":                {args: append(run, "--model", "mistral:m", "--base-url", server.URL)},
		"a key in another header":      {args: append(run, "--model", "azure:m")},
		"keys of a file":               {args: append(append(run, "--model", "openai:m", "--base-url", server.URL), keyFile...)},
		"an address with secrets":      {args: append(run, "--model", "ollama:m", "--base-url", inURL)},
		"an address in the file":       {args: append(run, "--model", "ollama:m", "--config", "secret.yaml")},
		"a proxy":                      {args: append(run, "--model", "openai:m", "--base-url", "http://example.com/v1"), env: through(proxyURL)},
		"a tunnel":                     {args: append(run, "--model", "openai:m"), env: through(proxyURL)},
		"a proxy that isn't there":     {args: append(run, "--model", "openai:m"), env: through("http://user:" + secret("proxy") + "@127.0.0.1:1")},
		"a proxy that is no URL":       {args: append(run, "--model", "openai:m"), env: through("http://user:" + secret("proxy") + "%zz@127.0.0.1")},
		"a server that isn't there":    {args: append(run, "--model", "openai:m", "--base-url", "http://u:"+secret("url")+"@127.0.0.1:1/v1?k="+secret("query"))},
		"an address that is no URL":    {args: append(run, "--model", "openai:m", "--base-url", "u:"+secret("url")+"@127.0.0.1:1/v1")},
		"an address with another flaw": {args: append(run, "--model", "openai:m", "--base-url", "http://u:"+secret("url")+"%@127.0.0.1:1/v1")},
		"fail_fast":                    {args: append(run, "--model", "openai:m", "--base-url", inURL, "--error-strategy", "fail_fast")},
		"skip":                         {args: append(run, "--model", "openai:m", "--base-url", inURL, "--error-strategy", "skip")},
		"standard output":              {args: []string{"run", "in.jsonl", "--model", "ollama:m", "--base-url", inURL}},
		"a dry run":                    {args: append(append(run, "--dry-run", "--base-url", inURL), keyFile...)},
		"a check":                      {args: []string{"check", "in.jsonl", "--model", "openai:m"}},
		"help":                         {args: append(keyFile, "run", "--help"), env: []string{"GLUEPIPE_BASE_URL=" + inURL}},
		"a usage error":                {args: append(append(run, "--base-url", inURL), "--rpm", "many")},
		"a flag for a key":             {args: append(run, "--api-key", secret("flag"))},
		"a flag with a key":            {args: append(run, "--api-key="+secret("flag"))},
		"a short flag with a key":      {args: append(run, "-k"+secret("flag"))},
		"a key in the wrong flag":      {args: append(run, "--api-key-file", secret("flag"))},
		"a key in the wrong variable":  {args: run, env: []string{"GLUEPIPE_API_KEY_FILE=" + secret("flag")}},
		"a key in the configuration":   {args: append(run, "--config", "key.yaml")},
		"an input with a password":     {args: []string{"run", "https://user:" + secret("url") + "@127.0.0.1:1/in.jsonl", "-o", "out.jsonl"}},
	} {
		for _, format := range []string{"console", "json"} {
			t.Run(name+", "+format, func(t *testing.T) {
				dir := inTempDir(t, map[string]string{
					"in.jsonl":    gossipRequests,
					".env":        "MISTRAL_API_KEY=" + secret("dotenv") + "\n",
					"secret.keys": secret("file-1") + "\n" + secret("file-2") + "\n",
					"secret.yaml": "base_url: " + inURL + "\n",
					"key.yaml":    "api_key: " + secret("yaml") + "\n",
				})
				args := test.args
				if args[0] == "run" {
					args = append(args, "--log-level", "debug", "--log-format", format)
				}
				for range 2 { // the second continues
					cmd := program(t, args...)
					cmd.Env = append(append(cmd.Env, known...), test.env...)
					requireNoSecrets(t, cmd, dir)
				}
			})
		}
	}
}

// requireNoSecrets runs a command and looks at all it leaves.
func requireNoSecrets(t *testing.T, cmd *exec.Cmd, dir string) {
	t.Helper()
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	_ = cmd.Run() // however it ends
	found := map[string]string{"standard output": stdout.String(), "standard error": stderr.String()}
	require.NoError(t, fs.WalkDir(os.DirFS(dir), ".", func(path string, entry fs.DirEntry, err error) error {
		if name := entry.Name(); err == nil && entry.Type().IsRegular() && name != ".env" && filepath.Ext(name) != ".keys" &&
			filepath.Ext(name) != ".yaml" {
			found[path] = read(t, path)
		}
		return err
	}))
	for where, text := range found {
		for _, hidden := range []string{"SECRET", "dXNlcjpzay1TRUNSR", "dTpzay1TRUNSR"} { // as it is, and as base64 of user:sk-SECRET
			require.NotContains(t, text, hidden, where)
		}
	}
	require.NotEmpty(t, stdout.String()+stderr.String())
}

func TestAFlagForAKeySaysWhatToUseInstead(t *testing.T) {
	inTempDir(t, map[string]string{"in.jsonl": requests(1)})
	for _, flag := range []string{"--api-key", "--apikey", "--openai-api-key", "--api_key", "--token"} {
		got := gluepipe(t, "", nil, "run", "in.jsonl", flag, "sk-secret")
		require.Equal(t, outcome{exitUsage, "", "gluepipe: unknown flag: " + flag + ": keys are no arguments, which others on this " +
			"machine can read: set the provider's environment variable, such as OPENAI_API_KEY, or give --api-key-file; " +
			"see 'gluepipe run --help'\n"}, got)
	}
	require.Contains(t, gluepipe(t, "", nil, "run", "in.jsonl", "--max-tokens", "7").stderr, "unknown flag: --max-tokens; see")
}

func TestPromptsAndAnswersAreNotLogged(t *testing.T) {
	inTempDir(t, nil)
	input := `{"id": "a", "user_message": "PRIVATE words", "system_prompt": "PRIVATE rules", "metadata": {"k": "PRIVATE data"}}` + "\n"
	for _, model := range []string{"mock:echo", "mock:fail", "mock:refuse", "mock:length", "mock:flaky"} {
		got := gluepipe(t, input, nil, "run", "-", "-o", "out.jsonl", "--overwrite", "--model", model, "--max-attempts", "2",
			"--log-level", "info")
		require.NotContains(t, got.stderr, "PRIVATE", model)
	}
}
