package mcp

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestCloseEndsAServerThatAsksAndDoesNotReadTheAnswers(t *testing.T) {
	s, err := Connect(t.Context(), program(t, "nagging"))
	require.NoError(t, err)
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	text, err := call(ctx, pick(t, s, "t"), "{}")
	require.NoError(t, err)
	require.Equal(t, "good", text)
	require.NoError(t, s.Close(ctx))
}

func init() {
	programs["nagging"] = func() {
		input := bufio.NewScanner(os.Stdin)
		for input.Scan() {
			var request struct {
				ID     json.RawMessage
				Method string
			}
			if json.Unmarshal(input.Bytes(), &request) != nil {
				continue
			}
			switch request.Method {
			case "initialize":
				fmt.Printf(`{"jsonrpc":"2.0","id":%s,"result":{"protocolVersion":"2025-06-18","capabilities":{"tools":{}},`+
					`"serverInfo":{"name":"nagging","version":"1"}}}`+"\n", request.ID)
			case "tools/list":
				fmt.Println(strings.ReplaceAll(strings.TrimPrefix(oneTool, "tools/list="), "ID", string(request.ID)))
			case "tools/call":
				for i := range 5000 { // the answers fill more than a pipe
					fmt.Printf(`{"jsonrpc":"2.0","id":%d,"method":"ping"}`+"\n", i)
				}
				fmt.Println(good(string(request.ID)))
				select {}
			}
		}
	}
}
