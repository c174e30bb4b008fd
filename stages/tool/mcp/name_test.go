package mcp

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/gluepipe/gluepipe/stages/batch"
)

func TestAServerIsNamedAfterTheTellingWordOfItsCommand(t *testing.T) {
	for command, want := range map[string]string{
		"npx -y @modelcontextprotocol/server-everything":                           "everything",
		"npx -y @modelcontextprotocol/server-everything@1.2":                       "everything",
		"npx --yes --registry https://r.example mcp-server-kubernetes@latest":      "kubernetes",
		"npx.cmd -y @acme/weather-mcp stdio":                                       "weather",
		"bunx acme-mcp-server":                                                     "acme",
		"pnpm dlx @acme/search":                                                    "search",
		"uvx mcp-server-git --repo x":                                              "git",
		"uvx --from git+https://example.com/x mcp-server-time==1.0":                "time",
		"uv --directory /srv/notes run notes.py":                                   "notes",
		"uv run python -m weather":                                                 "weather",
		"python -m weather":                                                        "weather",
		"python3.12 -m mcp_server_fetch":                                           "fetch",
		"/usr/bin/python3 /srv/weather/server.py":                                  "weather",
		"node ./dist/files.js":                                                     "files",
		"node /srv/search/dist/index.js":                                           "search",
		"node index.js":                                                            "server",
		"node ./node_modules/@acme/server-files/dist/index.js stdio":               "files",
		"node /x/node_modules/index.js":                                            "x",
		"docker run -i --rm mcp/fetch":                                             "fetch",
		"docker run -i --rm -e KEY=v -v /a:/b ghcr.io/github/github-mcp-server:v1": "github",
		"go run ./cmd/weather":                                                     "weather",
		"env KEY=v weather-server":                                                 "weather",
		"./bin/mcp-weather":                                                        "weather",
		`C:\tools\weather.exe -v`:                                                  "weather",
		"npx -y":                                                                   "npx",
		"mcp":                                                                      "server",
		"/":                                                                        "server",
		"a.b.c":                                                                    "a-b",
		"ünïcode!":                                                                 "n-code",
		strings.Repeat("a", 100):                                                   strings.Repeat("a", 32),
	} {
		require.Equal(t, want, commandName(strings.Fields(command)), command)
	}
}

func TestAServerOfAShellIsNamedByItsProgram(t *testing.T) {
	for script, want := range map[string]string{
		"exec npx -y mcp-server-git --token tok-0123456789": "git",
		"TOKEN=tok-0123456789 node /opt/weather.js":         "weather",
		"echo begun >&2; exec weather":                      "echo",
		"TOKEN=tok-0123456789 exec":                         "sh",
		"weather":                                           "weather",
	} {
		require.Equal(t, want, commandName([]string{"sh", "-c", script}), script)
	}
}

func TestAServerIsNamedAfterTheTellingLabelOfItsHost(t *testing.T) {
	for url, want := range map[string]string{
		"https://mcp.example.com/mcp":            "example",
		"https://api.githubcopilot.com/mcp/":     "githubcopilot",
		"https://docs.mcp.cloudflare.com/sse":    "cloudflare",
		"https://weather-mcp.example.co.uk/":     "example",
		"http://weather/mcp":                     "weather",
		"http://mcp.local/mcp":                   "server",
		"http://localhost:8080/mcp":              "localhost",
		"http://127.0.0.1:8080/mcp":              "localhost",
		"http://[::1]:8080/mcp":                  "localhost",
		"http://10.0.0.7/mcp":                    "10-0-0-7",
		"https://user:secret@example.com/?key=1": "example",
	} {
		require.Equal(t, want, urlName(url), url)
	}
}

func FuzzADefaultNameIsValid(f *testing.F) {
	f.Add("npx -y @a/b@1", "https://mcp.example.com")
	f.Add(`C:\x`, "http://[::1]")
	f.Fuzz(func(t *testing.T, command, url string) {
		if words := strings.Fields(command); len(words) > 0 {
			require.Regexp(t, validServerName, commandName(words))
		}
		require.Regexp(t, validServerName, urlName(url))
	})
}

// named returns the names that tools get, each given as "server/tool".
func named(taken []string, tools ...string) []string {
	list := make([]batch.Tool, len(tools))
	for i, tool := range tools {
		list[i].Server, list[i].Name, _ = strings.Cut(tool, "/")
	}
	return toolNames(list, taken)
}

func TestAToolKeepsItsNameWhereItCan(t *testing.T) {
	require.Equal(t, []string{"search", "read-file", "now"}, named([]string{"calculate"}, "a/search", "a/read-file", "b/now"))
}

func TestAllToolsOfANameGetTheirServersName(t *testing.T) {
	require.Equal(t, []string{"a_search", "read", "b_search"}, named(nil, "a/search", "a/read", "b/search"))
	require.Equal(t, []string{"b_search", "a_search", "read"}, named(nil, "b/search", "a/search", "a/read"))
}

func TestAToolWhoseNameIsTakenGetsItsServersName(t *testing.T) {
	require.Equal(t, []string{"a_calculate", "b_calculate", "c"}, named([]string{"calculate"}, "a/calculate", "b/calculate", "b/c"))
}

func TestANameThatModelsDontTakeIsChanged(t *testing.T) {
	require.Equal(t, []string{"files_read", "l_se"}, named(nil, "a/files.read", "a/lüse"))

	long := strings.Repeat("n", 70)
	names := named(nil, "a/"+long+"1", "a/"+long+"2")
	require.Len(t, names[0], 64)
	require.Len(t, names[1], 64)
	require.NotEqual(t, names[0], names[1])
	require.Equal(t, names, named(nil, "a/"+long+"1", "a/"+long+"2"))
}

func TestNamesThatBecomeOneAreToldApart(t *testing.T) {
	names := named(nil, "a/x.y", "a/x/y", "a/z")
	require.Regexp(t, `^x_y_[0-9a-f]{8}$`, names[0])
	require.Regexp(t, `^x_y_[0-9a-f]{8}$`, names[1])
	require.NotEqual(t, names[0], names[1])
	require.Equal(t, "z", names[2])

	names = named(nil, "a/b_c", "a_b/c", "x/c", "y/b_c") // a_b_c twice, once prefixed
	seen := make(map[string]bool)
	for _, name := range names {
		require.Regexp(t, `^[a-zA-Z0-9_-]{1,64}$`, name)
		require.False(t, seen[name], name)
		seen[name] = true
	}
}

func FuzzToolNamesAreValidAndDiffer(f *testing.F) {
	f.Add("a", "b", "a_b", "c.d")
	f.Fuzz(func(t *testing.T, a, b, c, d string) {
		taken := map[string]bool{a: true}
		for _, name := range named([]string{a}, "s/"+a, "s/"+b, "s/"+c, "t/"+c, "t/"+d, "s_t/"+d) {
			if name == "" {
				continue
			}
			require.Regexp(t, `^[a-zA-Z0-9_-]{1,64}$`, name)
			require.False(t, taken[name], name)
			taken[name] = true
		}
	})
}
