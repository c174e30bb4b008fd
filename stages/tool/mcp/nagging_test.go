package mcp

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestCloseEndsAServerThatAsksAndDoesNotReadTheAnswers(t *testing.T) {
	s, err := Connect(t.Context(), program(t, "nagging", "5000", "deaf"))
	require.NoError(t, err)
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	text, err := call(ctx, pick(t, s, "t"), "{}")
	require.NoError(t, err)
	require.Equal(t, "good", text)
	require.NoError(t, s.Close(ctx))
}

func TestAServerThatAsksMoreThanItReadsIsNotAnsweredAll(t *testing.T) {
	const pings = 30_000
	s := connected(t, program(t, "nagging", strconv.Itoa(pings)))
	_, err := call(t.Context(), pick(t, s, "t"), "{}")
	require.NoError(t, err)
	text, err := call(t.Context(), pick(t, s, "t"), "{}")
	require.NoError(t, err)
	answered, err := strconv.Atoi(text)
	require.NoError(t, err)
	require.Less(t, answered, pings/2, "a pipe and the bound hold fewer")
}

func init() {
	// At its first call, it sends as many pings as its first argument says before it reads on; with a second argument it never
	// does. Later calls are answered by how many answers there have been.
	programs["nagging"] = func() {
		pings, _ := strconv.Atoi(os.Args[1])
		answered := 0
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
				if answered > 0 {
					fmt.Println(strings.Replace(good(string(request.ID)), "good", strconv.Itoa(answered), 1))
					continue
				}
				for i := range pings {
					fmt.Printf(`{"jsonrpc":"2.0","id":%d,"method":"ping"}`+"\n", i)
				}
				fmt.Println(good(string(request.ID)))
				if len(os.Args) > 2 {
					select {}
				}
			case "":
				answered++
			}
		}
	}
}
