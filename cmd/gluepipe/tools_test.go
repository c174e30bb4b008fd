package main

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"

	sdk "github.com/modelcontextprotocol/go-sdk/mcp"
	"github.com/stretchr/testify/require"

	"github.com/gluepipe/gluepipe/stages/batch"
)

// asServer, as the test binary's only argument, makes it an MCP server.
const asServer = "serve-mcp"

type place struct {
	Location string `json:"location"`
}

// weatherServer has a tool that reads, one that writes, and one that tells its environment.
func weatherServer(name string) *sdk.Server {
	server := sdk.NewServer(&sdk.Implementation{Name: name, Version: "1"}, nil)
	text := func(format string, args ...any) (*sdk.CallToolResult, any, error) {
		return &sdk.CallToolResult{Content: []sdk.Content{&sdk.TextContent{Text: fmt.Sprintf(format, args...)}}}, nil, nil
	}
	sdk.AddTool(server, &sdk.Tool{
		Name: "get_weather", Description: "Tells the weather.", Annotations: &sdk.ToolAnnotations{ReadOnlyHint: true},
	}, func(_ context.Context, _ *sdk.CallToolRequest, in place) (*sdk.CallToolResult, any, error) {
		return text("%s in %s: 22°C", name, in.Location)
	})
	sdk.AddTool(server, &sdk.Tool{Name: "erase_weather"},
		func(_ context.Context, _ *sdk.CallToolRequest, in place) (*sdk.CallToolResult, any, error) {
			return text("erased %s", in.Location)
		})
	sdk.AddTool(server, &sdk.Tool{Name: "print_environment", Annotations: &sdk.ToolAnnotations{ReadOnlyHint: true}},
		func(context.Context, *sdk.CallToolRequest, struct{}) (*sdk.CallToolResult, any, error) {
			return text("%s", strings.Join(os.Environ(), "\n"))
		})
	return server
}

// serverCommand is the command of an MCP server that is a process.
func serverCommand(t *testing.T) string {
	t.Helper()
	self, err := os.Executable()
	require.NoError(t, err)
	return "'" + self + "' " + asServer
}

// serverURL is where an MCP server listens, which tells headers what it was sent.
func serverURL(t *testing.T, name string, sent *http.Header) string {
	t.Helper()
	server := weatherServer(name)
	return serve(t, func(r *http.Request) *sdk.Server {
		if sent != nil {
			*sent = r.Header.Clone()
		}
		return server
	})
}

// serve listens with a server for each request, and returns where.
func serve(t *testing.T, server func(*http.Request) *sdk.Server) string {
	t.Helper()
	listening := httptest.NewServer(sdk.NewStreamableHTTPHandler(server, nil))
	t.Cleanup(listening.Close)
	return listening.URL
}

// resultsOf returns the results that a run prints.
func resultsOf(t *testing.T, got outcome) []batch.Result {
	t.Helper()
	require.Zero(t, got.code, got.stderr)
	var results []batch.Result
	for line := range strings.Lines(got.stdout) {
		var r batch.Result
		require.NoError(t, json.Unmarshal([]byte(line), &r))
		results = append(results, r)
	}
	return results
}

const asksForWeather = `{"user_message": "What's the weather in Tokyo?"}` + "\n"

func TestAServerGivesARunItsTools(t *testing.T) {
	for name, server := range map[string]string{"program": serverCommand(t), "url": serverURL(t, "weather", nil)} {
		t.Run(name, func(t *testing.T) {
			inTempDir(t, nil)
			got := gluepipe(t, `{"user_message": "What's the weather in Tokyo?", "tools": ["get_weather"]}`+"\n", nil,
				"run", "-", "--model", "mock:echo", "--mcp", server)
			history := resultsOf(t, got)[0].ToolExecutionHistory
			require.Len(t, history, 1)
			require.Equal(t, "weather in Tokyo: 22°C", history[0].Result)
			require.Equal(t, 1, history[0].Turn)
			require.NotEmpty(t, history[0].Server)
			require.JSONEq(t, `{"location":"Tokyo"}`, string(history[0].Arguments))
		})
	}
}

func TestToolsOfAWholeServerThatMayChangeSomethingAreRefused(t *testing.T) {
	inTempDir(t, nil)
	server := serverURL(t, "weather", nil)
	ask := `{"user_message": "Erase the weather in Tokyo", "tools": ["erase_weather"]}` + "\n"
	for name, test := range map[string]struct {
		args    []string
		refused bool
	}{
		"a whole server":             {nil, true},
		"all that are there":         {[]string{"--tools", "*"}, true},
		"named":                      {[]string{"--tools", "erase_weather"}, false},
		"named beside the rest":      {[]string{"--tools", "*,erase_weather"}, false},
		"the rest, twice":            {[]string{"--tools", "*,*"}, true},
		"all are allowed":            {[]string{"--tools-policy", "all"}, false},
		"named, yet none is allowed": {[]string{"--tools", "erase_weather", "--tools-policy", "read-only"}, true},
	} {
		t.Run(name, func(t *testing.T) {
			got := gluepipe(t, ask, nil, append([]string{"run", "-", "--model", "mock:echo", "--mcp", server}, test.args...)...)
			history := resultsOf(t, got)[0].ToolExecutionHistory
			require.Len(t, history, 1)
			require.Equal(t, test.refused, history[0].Refused)
			require.Equal(t, test.refused, history[0].Error)
			if test.refused {
				require.Contains(t, got.stderr, "erase_weather are refused")
				require.Contains(t, got.stderr, "1 tool call refused by the tools policy: 1 erase_weather\n")
			} else {
				require.Equal(t, "erased Tokyo", history[0].Result)
				require.NotContains(t, got.stderr, "refused")
			}
		})
	}
}

func TestToolsOfTheSameNameAreToldApartByTheirServers(t *testing.T) {
	inTempDir(t, map[string]string{"gluepipe.yaml": `
mcp:
  north: ` + serverURL(t, "north", nil) + `
  south: {url: "` + serverURL(t, "south", nil) + `"}
`})
	got := gluepipe(t, "", nil, "tools", "--tools", "north_get_weather,south_get_weather", "--json")
	require.Zero(t, got.code, got.stderr)
	require.Regexp(t, `(?s)^{"name":"north_get_weather","server":"north".*\n{"name":"south_get_weather","server":"south".*\n$`, got.stdout)
	called := gluepipe(t, "", nil, "tools", "call", "south_get_weather", `{"location": "Oslo"}`)
	require.Equal(t, "south in Oslo: 22°C\n", called.stdout, called.stderr)

	// One of them by what the configuration calls it.
	called = gluepipe(t, "", nil, "tools", "call", "get_weather", `{"location": "Oslo"}`, "--mcp", "south")
	require.Equal(t, "south in Oslo: 22°C\n", called.stdout, called.stderr)
}

func TestAProgramAndAURLAreToolsByTheConfiguration(t *testing.T) {
	api := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprintf(w, "%s %s, key %s", r.Method, r.URL.RequestURI(), r.Header.Get("X-Api-Key"))
	}))
	t.Cleanup(api.Close)
	inTempDir(t, map[string]string{
		".env": "SEARCH_KEY=sk-search-0123456789\n",
		"gluepipe.yaml": `
custom_tools:
  - name: shout
    description: Shouts a word.
    command: [echo, "{{.word}}!", "{{.more}}"]
    parameters:
      type: object
      properties: {word: {type: string}, more: {type: string}}
      required: [word]
    timeout: 5s
    read_only: true
  - name: search
    url: ` + api.URL + `/find/{{.place}}?q={{.query}}
    headers: {X-Api-Key: "${SEARCH_KEY}"}
    allow_private: true
    parameters: {type: object, properties: {place: {type: string}, query: {type: string}}, required: [place]}
`,
	})
	for _, test := range [][3]string{
		{"shout", `{"word": "a b; rm -rf $HOME"}`, "a b; rm -rf $HOME!\n"},
		{"shout", `{"word": "a", "more": "b"}`, "a! b\n"},
		// The key reaches the server, and nobody else.
		{"search", `{"place": "a/b", "query": "x&y=1"}`, "GET /find/a%2Fb?q=x%26y%3D1, key [secret]\n"},
	} {
		got := gluepipe(t, "", nil, "tools", "call", test[0], test[1])
		require.Equal(t, test[2], got.stdout, got.stderr)
	}
	got := gluepipe(t, "", nil, "tools")
	require.Equal(t, `shout (read-only)
  Shouts a word.
    word (string, required)
    more (string)

search
    place (string, required)
    query (string)

`, got.stdout)
	got = gluepipe(t, `{"user_message": "please shout"}`+"\n", nil, "run", "-", "--model", "mock:echo")
	require.Equal(t, "shout", resultsOf(t, got)[0].ToolExecutionHistory[0].ToolName)
}

func TestSecretsOfTheConfigurationReachTheServerAndNobodyElse(t *testing.T) {
	const token = "tok-0123456789-secret"
	var sent http.Header
	inTempDir(t, map[string]string{"gluepipe.yaml": `
mcp:
  program:
    command: "` + serverCommand(t) + `"
    env: {WEATHER_TOKEN: "${TOKEN}", PLAIN: visible}
  remote:
    url: ` + serverURL(t, "remote", &sent) + `
    headers: {Authorization: "Bearer ${TOKEN}"}
`})
	environment := env{"TOKEN": token, "OPENAI_API_KEY": "sk-openai-0123456789"}
	got := gluepipe(t, `{"user_message": "print it", "tools": ["program_print_environment"]}`+"\n", environment,
		"run", "-", "--model", "mock:echo", "--log-level", "debug")
	results := resultsOf(t, got)
	require.Equal(t, "Bearer "+token, sent.Get("Authorization"))
	require.Contains(t, results[0].ToolExecutionHistory[0].Result, "WEATHER_TOKEN=[secret]")
	require.Contains(t, results[0].ToolExecutionHistory[0].Result, "PLAIN=visible")
	for _, secret := range []string{token, "sk-openai"} {
		require.NotContains(t, got.stdout, secret)
		require.NotContains(t, got.stderr, secret)
	}

	got = gluepipe(t, "", nil, "tools", "--mcp", "remote")
	require.Equal(t, exitUsage, got.code)
	require.Equal(t, "gluepipe: gluepipe.yaml: mcp: remote: headers: Authorization: the variable TOKEN is set neither in the "+
		"environment nor in .env; see 'gluepipe tools --help'\n", got.stderr)
}

func TestARequestIsGivenTheToolsItNamesAndNoOthers(t *testing.T) {
	inTempDir(t, nil)
	server := serverURL(t, "weather", nil)
	got := gluepipe(t, `{"user_message": "What's the weather in Tokyo?", "tools": ["dig"]}`+"\n", nil,
		"run", "-", "--model", "mock:echo", "--mcp", server)
	require.Equal(t, exitFailures, got.code)
	require.Contains(t, got.stdout, `line 1: field \"tools\": unknown tool \"dig\" (known: erase_weather, get_weather, print_environment)`)

	// --tools bounds what requests can name.
	got = gluepipe(t, `{"user_message": "x", "tools": ["erase_weather"]}`+"\n", nil,
		"check", "-", "--mcp", server, "--tools", "get_weather")
	require.Equal(t, exitFailures, got.code)
	require.Contains(t, got.stdout, `unknown tool "erase_weather" (known: get_weather)`)
}

func TestToolsSaysWhatThereIsAndWhatIsRefused(t *testing.T) {
	inTempDir(t, nil)
	got := gluepipe(t, "", nil, "tools", "--mcp", serverURL(t, "weather", nil), "--tools", "*,now")
	require.Zero(t, got.code, got.stderr)
	require.Contains(t, got.stdout, "get_weather (")
	require.Regexp(t, `(?m)^erase_weather \(.*, destructive, refused by the policy\)$`, got.stdout)
	require.Contains(t, got.stdout, "now (read-only)\n")

	got = gluepipe(t, "", nil, "tools")
	require.Zero(t, got.code)
	require.Empty(t, got.stdout)
	require.Contains(t, got.stderr, "no tools: ")
}

func TestACallOfAToolThatFailsSaysWhy(t *testing.T) {
	inTempDir(t, nil)
	for _, test := range []struct {
		code int
		want string
		args []string
	}{
		{exitBroken, "gluepipe: calculate: division by zero\n", []string{"calculate", `{"expression": "1/0"}`}},
		{exitBroken, `gluepipe: calculate: arguments: at "/expression": missing property` + "\n", []string{"calculate"}},
		{exitUsage, `gluepipe: tools call: unknown tool "dig"; the tools are: calculate, now`, []string{"dig"}},
		{exitUsage, "gluepipe: tools call takes a tool's name and its arguments as one JSON object, got 0 arguments", nil},
	} {
		got := gluepipe(t, "", nil, append([]string{"tools", "call"}, test.args...)...)
		require.Equal(t, test.code, got.code)
		require.Empty(t, got.stdout)
		require.Contains(t, got.stderr, test.want)
	}
	got := gluepipe(t, `{"expression": "2+3"}`, nil, "tools", "call", "calculate", "-")
	require.Equal(t, "5\n", got.stdout, got.stderr)
}

func TestAServerThatCannotBeHadEndsTheRunBeforeItBegins(t *testing.T) {
	inTempDir(t, nil)
	for name, test := range map[string]struct{ server, want string }{
		"not there":        {"no-such-server --x", "no-such-server"},
		"ends at once":     {"sh -c 'echo broken >&2; exit 3'", "broken"},
		"half a quote":     {"npx 'a", "is not one plain command"},
		"two commands":     {"a | b", "is not one plain command"},
		"a variable":       {"FOO=1 server", "want a command, got the variable FOO first"},
		"nothing":          {"", "want a command or a URL, got nothing"},
		"a password":       {"https://me:secret@example.com/mcp", "want a URL without a user and a password"},
		"nobody listens":   {"http://127.0.0.1:1/mcp", "refused"},
		"a program inside": {"server <(secrets)", "is not one plain command: it runs a command within itself"},
		"another scheme":   {"ws://127.0.0.1/mcp", "the URL is not valid"},
		"a URL and more":   {"http://127.0.0.1:1/mcp --header x", "want a URL alone"},
		"blanks around":    {" HTTP://127.0.0.1:1/mcp ", "refused"},
		"an unset setting": {"server $NO_SUCH_VARIABLE", "the variable NO_SUCH_VARIABLE is set neither"},
	} {
		t.Run(name, func(t *testing.T) {
			got := gluepipe(t, asksForWeather, nil, "run", "-", "-o", "out.jsonl", "--model", "mock:echo", "--mcp", test.server)
			require.NotZero(t, got.code)
			require.Contains(t, got.stderr, test.want)
			require.NotContains(t, got.stderr, "secret@")
			require.NoFileExists(t, "out.jsonl")
		})
	}
}

func TestWrongDefinitionsNameTheirLine(t *testing.T) {
	for file, want := range map[string]string{
		"mcp:\n  files:\n    comand: x\n":                     "gluepipe.yaml: mcp: line 3: files: comand: unknown key; the keys are: args, command, ",
		"mcp:\n  files: {}\n":                                 "gluepipe.yaml: mcp: line 2: files: want a command or a url",
		"mcp:\n  files: {command: x, url: http://x}\n":        "line 2: files: want a command or a url",
		"mcp:\n  files: {url: http://x, env: [A]}\n":          "line 2: files: env and dir are for commands",
		"mcp:\n  files: {command: x, headers: {a: b}}\n":      "line 2: files: headers are for a url",
		"mcp:\n  files: {command: x, max_concurrent: many}\n": `line 2: files: max_concurrent: want a whole number, got "many"`,
		"mcp:\n  files:\n":                                    "gluepipe.yaml: mcp: files: want a command or a url",
		"mcp:\n  - x\n  -\n":                                  "gluepipe.yaml: mcp: want a list of texts: number 2 is none",
		"mcp:\n  - command: x\n":                              "gluepipe.yaml: mcp: want a list of texts: number 1 is none",
		"mcp:\n  files: x\n  files: y\n":                      `gluepipe.yaml: line 3: mapping key "files" already defined at line 2`,
		"custom_tools:\n  - {name: a, command: [echo]}\n  - {name: a, command: [cat]}\n": `custom_tools: line 3: tool 2: "a" is there twice`,
		"custom_tools: x\n":                                                                   "custom_tools: want a list of tools",
		"custom_tools:\n  - command: [x]\n":                                                   "custom_tools: line 2: tool 1: want a name",
		"custom_tools:\n  - name: a\n":                                                        "custom_tools: line 2: tool 1: a: want a command or a url",
		"custom_tools:\n  - {name: a, command: x}\n":                                          "custom_tools: line 2: command: want a list",
		"custom_tools:\n  - {name: a, command: [x], url: y}\n":                                "a: want a command or a url",
		"custom_tools:\n  - {name: a, command: [x], b: y}\n":                                  "line 2: b: unknown key",
		"custom_tools:\n  - {name: a, url: x, dir: y}\n":                                      "a: env and dir are for commands",
		"custom_tools:\n  - {name: a, command: [x], method: y}":                               "a: method, headers and allow_private are for a url",
		"custom_tools:\n  - {name: a, command: [no-such-program]}\n":                          `"a": `,
		"custom_tools:\n  - {name: a, command: [echo, '{{.b}}']}\n":                           `"a": `,
		"custom_tools:\n  - {name: a, url: 'http://{{.h}}/'}\n":                               `"a": `,
		"custom_tools:\n  - {name: a b, command: [echo]}\n":                                   `custom_tools: tool "a b": a name has`,
		"custom_tools:\n  - {name: a, command: [echo], read_only: true, destructive: true}\n": "want one of the two",
		"custom_tools:\n  - {name: a, command: [echo], parameters: {type: 1}}\n":              `"a": `,
	} {
		inTempDir(t, map[string]string{"gluepipe.yaml": file})
		got := gluepipe(t, "", nil, "tools")
		require.Equal(t, exitUsage, got.code, file)
		require.Contains(t, got.stderr, want, file)
	}
}
