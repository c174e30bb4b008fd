package mcp

import (
	"sync/atomic"

	"github.com/modelcontextprotocol/go-sdk/jsonrpc"
)

// maxAsked bounds the requests of a server that wait for their answers. A server that has more is broken, or means harm.
const maxAsked = 1000

// asked counts the requests of a server that wait for their answers. The SDK keeps them all, however many there are, while
// a server doesn't read what it is answered.
type asked struct{ waiting atomic.Int64 }

// admit reports whether a message of the server is for the SDK. A request too many is dropped.
func (a *asked) admit(message jsonrpc.Message) bool {
	request, ok := message.(*jsonrpc.Request)
	if !ok || !request.IsCall() || a.waiting.Add(1) <= maxAsked {
		return true
	}
	a.waiting.Add(-1)
	return false
}

// sent takes note of a message to the server that was sent, or never will be.
func (a *asked) sent(message jsonrpc.Message) {
	if _, ok := message.(*jsonrpc.Response); ok {
		a.waiting.Add(-1)
	}
}
