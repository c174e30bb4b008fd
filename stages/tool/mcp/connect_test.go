package mcp

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strconv"
	"syscall"
	"testing"
	"time"

	sdk "github.com/modelcontextprotocol/go-sdk/mcp"
	"github.com/stretchr/testify/require"
)

func init() {
	// It writes its process id to the file of its first argument when it lists its tools, and goes on when its input ends.
	programs["lingers"] = func() {
		server := newServer("lingers")
		server.AddReceivingMiddleware(func(next sdk.MethodHandler) sdk.MethodHandler {
			return func(ctx context.Context, method string, request sdk.Request) (sdk.Result, error) {
				if method == "tools/list" {
					_ = os.WriteFile(os.Args[1], []byte(strconv.Itoa(os.Getpid())), 0o600)
				}
				return next(ctx, method, request)
			}
		})
		_ = server.Run(context.Background(), &sdk.StdioTransport{})
		select {}
	}
}

func TestConnectReturnsWhenTheOthersOfAServerThatFailsHaveEnded(t *testing.T) {
	file := filepath.Join(t.TempDir(), "pid")
	refuses := newServer("refuses")
	refuses.AddReceivingMiddleware(func(sdk.MethodHandler) sdk.MethodHandler {
		return func(context.Context, string, sdk.Request) (sdk.Result, error) {
			for range time.Tick(10 * time.Millisecond) { // until the other one is connected to, or nearly
				if pid, err := os.ReadFile(file); err == nil && len(pid) > 0 {
					break
				}
			}
			return nil, errors.New("no licence")
		}
	})
	_, err := Connect(t.Context(), program(t, "lingers", file), inProcessServer(refuses))
	require.ErrorContains(t, err, "no licence")
	text, err := os.ReadFile(file)
	require.NoError(t, err)
	pid, err := strconv.Atoi(string(text))
	require.NoError(t, err)
	process, err := os.FindProcess(pid)
	require.NoError(t, err)
	require.ErrorIs(t, process.Signal(syscall.Signal(0)), os.ErrProcessDone)
}
