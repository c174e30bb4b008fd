package mcp

import (
	"context"

	"github.com/modelcontextprotocol/go-sdk/jsonrpc"
	sdk "github.com/modelcontextprotocol/go-sdk/mcp"
)

// outgoing is a line to write, and where to say how that went. The channel has room for it.
type outgoing struct {
	line []byte
	done chan<- error
}

// Write writes a message. Where the program doesn't read, it waits until ctx ends or the connection is closed. A message that
// was begun then is still written to its end by writeAll: half a line would spoil the next one.
func (c *stdioConn) Write(ctx context.Context, message jsonrpc.Message) error {
	defer c.asked.sent(message)
	text, err := jsonrpc.EncodeMessage(message)
	if err != nil {
		return err
	}
	done := make(chan error, 1)
	select {
	case c.outgoing <- outgoing{append(text, '\n'), done}:
	case <-ctx.Done():
		return ctx.Err()
	case <-c.closed:
		return sdk.ErrConnectionClosed
	case <-c.process.Done():
		return sdk.ErrConnectionClosed
	}
	deliveryIn(ctx).begun.Store(true)
	select {
	case err := <-done:
		return err
	case <-ctx.Done():
		return ctx.Err()
	case <-c.closed:
		return sdk.ErrConnectionClosed
	}
}

// writeAll writes messages one after the other until the connection is closed. Closing the program's input ends a write that
// waits.
func (c *stdioConn) writeAll() {
	for {
		select {
		case o := <-c.outgoing:
			_, err := c.process.Stdin.Write(o.line)
			o.done <- err
		case <-c.closed:
			return
		}
	}
}
