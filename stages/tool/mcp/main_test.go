package mcp

import (
	"testing"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) {
	// The HTTP servers of tests keep the sessions that they are not asked to end.
	const serversSide = "github.com/modelcontextprotocol/go-sdk/mcp.(*streamableServerConn).Read"
	goleak.VerifyTestMain(m, goleak.IgnoreAnyFunction(serversSide))
}
