package mcp

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"

	sdk "github.com/modelcontextprotocol/go-sdk/mcp"
	"github.com/stretchr/testify/require"
)

func init() {
	programs["mortal"] = runMortal
	programs["raw"] = runRaw
}

// runMortal is a server that writes a byte to the file of its first argument at each start. Its tool "echo" works; "die" ends
// it, as does the n-th call of "echo", n being its second argument; "wait" never answers; "pid" tells its process id.
func runMortal() {
	starts, err := os.OpenFile(os.Args[1], os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	starts.WriteString("x")
	starts.Close()
	last, _ := strconv.ParseInt(os.Args[2], 10, 64)
	var calls atomic.Int64
	server := newServer("mortal")
	die := func(context.Context, *sdk.CallToolRequest) (*sdk.CallToolResult, error) {
		fmt.Fprintln(os.Stderr, "the disk is gone")
		os.Exit(3)
		return nil, nil
	}
	add(server, sdk.Tool{Name: "die"}, die)
	add(server, sdk.Tool{Name: "pid"}, func(context.Context, *sdk.CallToolRequest) (*sdk.CallToolResult, error) {
		return textResult(strconv.Itoa(os.Getpid())), nil
	})
	add(server, sdk.Tool{Name: "wait"}, func(ctx context.Context, _ *sdk.CallToolRequest) (*sdk.CallToolResult, error) {
		<-ctx.Done()
		return nil, ctx.Err()
	})
	add(server, sdk.Tool{Name: "echo"}, func(ctx context.Context, request *sdk.CallToolRequest) (*sdk.CallToolResult, error) {
		if calls.Add(1) == last {
			return die(ctx, request)
		}
		return echo(ctx, request)
	})
	_ = server.Run(context.Background(), &sdk.StdioTransport{})
}

// mortal is that server, and a function that tells how often it was started.
func mortal(t *testing.T, last int) (Server, func() int) {
	t.Helper()
	file := filepath.Join(t.TempDir(), "starts")
	return program(t, "mortal", file, strconv.Itoa(last)), func() int {
		data, err := os.ReadFile(file)
		require.NoError(t, err)
		return len(data)
	}
}

// runRaw is a server that answers by what its arguments say, each "method=line": the line is written as the answer to that
// method, ID standing for the request's id, PAGE for the cursor's number plus one, MEBIBYTE for as much text. "exit" ends the
// program, "" answers nothing.
func runRaw() {
	answers := make(map[string]string)
	for _, argument := range os.Args[1:] {
		method, answer, _ := strings.Cut(argument, "=")
		answers[method] = answer
	}
	if _, ok := answers["initialize"]; !ok {
		answers["initialize"] = `{"jsonrpc":"2.0","id":ID,"result":{"protocolVersion":"2025-06-18","capabilities":{"tools":{}},` +
			`"serverInfo":{"name":"raw","version":"1"}}}`
	}
	input := bufio.NewScanner(os.Stdin)
	input.Buffer(nil, 1<<20)
	for input.Scan() {
		var request struct {
			ID     json.RawMessage
			Method string
			Params struct{ Cursor string }
		}
		if json.Unmarshal(input.Bytes(), &request) != nil {
			continue
		}
		switch answer := answers[request.Method]; answer {
		case "":
		case "exit":
			fmt.Fprintln(os.Stderr, "no licence")
			os.Exit(7)
		default:
			page, _ := strconv.Atoi(request.Params.Cursor)
			answer = strings.ReplaceAll(answer, "PAGE", strconv.Itoa(page+1))
			answer = strings.ReplaceAll(answer, "MEBIBYTE", strings.Repeat("x", 1<<20))
			fmt.Println(strings.ReplaceAll(answer, "ID", string(request.ID)))
		}
	}
}

// running is the session of the first server.
func running(t *testing.T, s *Servers) *session {
	t.Helper()
	session, err := s.hosts[0].session(t.Context())
	require.NoError(t, err)
	return session
}

const oneTool = `tools/list={"jsonrpc":"2.0","id":ID,"result":{"tools":[{"name":"t","inputSchema":{"type":"object"}}]}}`
