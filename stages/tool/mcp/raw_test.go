package mcp

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestAProgramThatDoesNotStartIsAnErrorThatSaysWhy(t *testing.T) {
	exits := program(t, "raw", "initialize=exit")
	exits.Name = "licensed"
	_, err := Connect(t.Context(), exits)
	require.EqualError(t, err, `MCP server "licensed": exit status 7: no licence`)

	_, err = Connect(t.Context(), Server{Command: []string{"/no/such/program"}})
	require.EqualError(t, err, `MCP server "program": the program "/no/such/program" does not exist`)

	hangs := program(t, "raw", "initialize=")
	hangs.StartTimeout = 200 * time.Millisecond
	_, err = Connect(t.Context(), hangs)
	require.ErrorContains(t, err, "it was not ready within 200ms")

	refuses := program(t, "raw", `initialize={"jsonrpc":"2.0","id":ID,"error":{"code":-32602,"message":"too old"}}`)
	refuses.Name = "old"
	_, err = Connect(t.Context(), refuses)
	require.EqualError(t, err, `MCP server "old": too old`)
}

func TestAServerThatDoesNotListItsToolsWellIsAnError(t *testing.T) {
	const list = `tools/list={"jsonrpc":"2.0","id":ID,"result":`
	var many []string
	for range 100 {
		many = append(many, `{"name":"tPAGE","inputSchema":{"type":"object"}}`)
	}
	for answer, want := range map[string]string{
		list + `{"tools":[],"nextCursor":"7"}}`:                                   "listing its tools: a page points back to one before it",
		list + `{"tools":[],"nextCursor":"PAGE"}}`:                                "listing its tools: there are more than 1000 pages",
		list + `{"tools":[` + strings.Join(many, ",") + `],"nextCursor":"PAGE"}}`: "listing its tools: there are more than 5000",
		list + `{"tools":[{"name":"tPAGE","description":"MEBIBYTE","inputSchema":{"type":"object"}}],"nextCursor":"PAGE"}}`: "" +
			"listing its tools: they take more than 32.0 MiB",
		`tools/list={"jsonrpc":"2.0","id":ID,"error":{"code":-32603,"message":"broken"}}`: "listing its tools: broken",
		`tools/list=exit`: "exit status 7: no licence",
		`tools/list=`:     "it was not ready within 500ms",
	} {
		server := program(t, "raw", answer)
		if answer == `tools/list=` {
			server.StartTimeout = 500 * time.Millisecond
		}
		_, err := Connect(t.Context(), server)
		require.ErrorContains(t, err, want)
	}
}

func TestToolsThatNoModelCouldCallAreLeftOut(t *testing.T) {
	s := connected(t, program(t, "raw", `tools/list={"jsonrpc":"2.0","id":ID,"result":{"tools":[`+
		`{"name":"good","inputSchema":{"type":"object"}},`+
		`{"name":"good","description":"again","inputSchema":{"type":"object"}},`+
		`{"name":"","inputSchema":{"type":"object"}},`+
		`{"name":"array","inputSchema":{"type":"array"}},`+
		`{"name":"text","inputSchema":"object"},`+
		`{"name":"none"},`+
		`null,`+
		`{"name":"untyped","inputSchema":{"properties":{"a":{}}}}]}}`))
	require.Equal(t, []string{"good", "untyped"}, toolNamesOf(s.Tools()))
	require.JSONEq(t, `{"type":"object","properties":{"a":{}}}`, string(pick(t, s, "untyped").Parameters))
}

func TestAServerWithoutToolsHasNone(t *testing.T) {
	s := connected(t, program(t, "raw", `initialize={"jsonrpc":"2.0","id":ID,"result":{"protocolVersion":"2025-06-18",`+
		`"capabilities":{"prompts":{}},"serverInfo":{"name":"raw","version":"1"}}}`))
	require.Empty(t, s.Tools())
}

func TestAnAnswerThatCannotBeReadFailsItsCallAlone(t *testing.T) {
	for answer, want := range map[string]string{
		`{"jsonrpc":"2.0","id":ID,"result":{"content":[{"type":"hologram"}]}}`: "can't be read",
		`{"jsonrpc":"2.0","id":ID,"result":{"content":"x"}}`:                   "can't be read",
		`{"jsonrpc":"2.0","id":ID,"result":7}`:                                 "can't be read",
		`{"jsonrpc":"2.0","id":ID}`:                                            "",
	} {
		s := connected(t, program(t, "raw", oneTool, "tools/call="+answer, `ping={"jsonrpc":"2.0","id":ID,"result":{}}`))
		session := running(t, s)
		for range 2 {
			_, err := call(t.Context(), pick(t, s, "t"), "{}")
			require.ErrorContains(t, err, want, answer)
		}
		require.Same(t, session, running(t, s))
	}
}

func TestAnAnswerThatComesTwiceAndGarbageDoNoHarm(t *testing.T) {
	const good = `{"jsonrpc":"2.0","id":ID,"result":{"content":[{"type":"text","text":"good"}]}}`
	s := connected(t, program(t, "raw", oneTool, "tools/call=starting...\n"+good+"\n"+good+"\n{\n[]\n\xff\xfe\n"))
	for range 5 {
		text, err := call(t.Context(), pick(t, s, "t"), "{}")
		require.NoError(t, err)
		require.Equal(t, "good", text)
	}
}

func TestACallThatIsNeverAnsweredEndsWithItsContextAndTheServerGoesOn(t *testing.T) {
	s := connected(t, program(t, "raw", oneTool, "tools/call="))
	session := running(t, s)
	for range 2 {
		ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
		_, err := call(ctx, pick(t, s, "t"), "{}")
		require.ErrorIs(t, err, context.DeadlineExceeded)
		cancel()
	}
	require.Same(t, session, running(t, s))
}
