package mcp

import (
	"fmt"
	"os"
	"testing"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"
)

// asProgram names, in the environment of this test binary, the program that it is to be instead of running tests.
const asProgram = "GLUEPIPE_TEST_AS_PROGRAM"

// programs are what the test binary can be. Test files add theirs in an init.
var programs = map[string]func(){}

func TestMain(m *testing.M) {
	if name := os.Getenv(asProgram); name != "" {
		program, ok := programs[name]
		if !ok {
			fmt.Fprintf(os.Stderr, "no program %q\n", name)
			os.Exit(2)
		}
		program()
		os.Exit(0)
	}
	// The HTTP servers of tests keep the sessions that they are not asked to end.
	const serversSide = "github.com/modelcontextprotocol/go-sdk/mcp.(*streamableServerConn).Read"
	goleak.VerifyTestMain(m, goleak.IgnoreAnyFunction(serversSide))
}

// program is a server that is the test binary as the named program, with arguments.
func program(t testing.TB, name string, arguments ...string) Server {
	t.Helper()
	self, err := os.Executable()
	require.NoError(t, err)
	const atOnce = "GORACE=atexit_sleep_ms=0" // the race detector holds up a program's end for a second otherwise
	return Server{Command: append([]string{self}, arguments...), Env: []string{asProgram + "=" + name, atOnce}}
}
