package main

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

const leftAndRight = `{"user_message": "left and right"}` + "\n"

// toolsAt makes a configuration with the tools left and right, which are paths of a server.
func toolsAt(t *testing.T, handler http.HandlerFunc) {
	t.Helper()
	api := httptest.NewServer(handler)
	t.Cleanup(api.Close)
	inTempDir(t, map[string]string{"gluepipe.yaml": fmt.Sprintf(`
custom_tools:
  - {name: left, url: "%[1]s/left", allow_private: true}
  - {name: right, url: "%[1]s/right", allow_private: true}
`, api.URL)})
}

func TestTheToolsOfATurnRunSideBySideOrOneByOne(t *testing.T) {
	meet := make(chan struct{})
	toolsAt(t, func(w http.ResponseWriter, r *http.Request) {
		select { // each waits for the other one
		case meet <- struct{}{}:
		case <-meet:
		case <-r.Context().Done():
			return
		}
		fmt.Fprint(w, "met")
	})
	got := gluepipe(t, leftAndRight, nil, "run", "-", "--model", "mock:echo")
	history := resultsOf(t, got)[0].ToolExecutionHistory
	require.Len(t, history, 2)
	require.Equal(t, "met", history[0].Result)
	require.Equal(t, "met", history[1].Result)
	got = gluepipe(t, leftAndRight, nil, "run", "-", "--model", "mock:echo",
		"--tool-execution-order", "sequential", "--tool-timeout", "200ms")
	require.Equal(t, "error: timed out after 200ms", resultsOf(t, got)[0].ToolExecutionHistory[0].Result)
}

func TestALongAnswerOfAToolIsCutAtItsBound(t *testing.T) {
	toolsAt(t, func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, strings.Repeat("x", 2000)) })
	got := gluepipe(t, leftAndRight, nil, "run", "-", "--model", "mock:echo", "--max-tool-result", "1KiB")
	history := resultsOf(t, got)[0].ToolExecutionHistory
	require.Len(t, history, 2)
	require.Equal(t, strings.Repeat("x", 1024)+"\n[cut: the first 1024 of 2000 bytes]", history[0].Result)
	require.EqualValues(t, 2000, history[0].ResultBytes)
}
