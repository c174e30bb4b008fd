package mcp

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/modelcontextprotocol/go-sdk/jsonrpc"
	sdk "github.com/modelcontextprotocol/go-sdk/mcp"
	"go.uber.org/zap"

	"github.com/gluepipe/gluepipe/stages/tool/internal/process"
)

// stdioTransport runs a program that speaks MCP on its standard input and output, a JSON-RPC message a line. It is used for
// one start of the program.
//
// It is not the SDK's, because a server may misbehave without ending the session: a message that is too long, or that is none
// (programs print banners), costs at most the call that it answers; a program that doesn't read blocks nobody for ever; and
// what a program has started itself ends with it.
type stdioTransport struct {
	config     process.Config
	maxMessage int64
	log        *zap.Logger
	secrets    redactor

	mu     sync.Mutex
	killed bool
	conn   *stdioConn // nil until it is connected
}

// newStdioTransport finds the program of s; Connect starts it.
func newStdioTransport(s *Server, log *zap.Logger) (*stdioTransport, error) {
	path, err := process.Look(s.Command[0], s.Dir)
	if err != nil {
		return nil, err
	}
	if err := process.CheckDir(s.Dir); err != nil {
		return nil, err
	}
	env, err := process.Env(s.Env)
	if err != nil {
		return nil, err
	}
	return &stdioTransport{
		config:     process.Config{Path: path, Args: s.Command[1:], Env: env, Dir: s.Dir},
		maxMessage: s.MaxMessage,
		log:        log,
		secrets:    newRedactor(s.Env),
	}, nil
}

// Connect starts the program. The program's life is not bound to ctx: it ends with the connection.
func (t *stdioTransport) Connect(ctx context.Context) (sdk.Connection, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.killed {
		return nil, sdk.ErrConnectionClosed
	}
	p, err := process.Start(t.config)
	if err != nil {
		return nil, fmt.Errorf("starting the program: %w", err)
	}
	c := &stdioConn{
		process:  p,
		lines:    &lineReader{from: bufio.NewReaderSize(p.Stdout, 64<<10), limit: t.maxMessage},
		log:      t.log,
		secrets:  t.secrets,
		outgoing: make(chan outgoing),
		closed:   make(chan struct{}),
		silent:   make(chan struct{}),
	}
	c.owned.Go(c.writeAll)
	c.owned.Go(func() {
		defer close(c.silent)
		logLines(p.Stderr, &c.tail, t.secrets, t.log)
	})
	t.conn = c
	return c, nil
}

// kill ends the program and the connection at once, without waiting for it.
func (t *stdioTransport) kill() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.killed = true
	if t.conn != nil {
		t.conn.process.Kill()
		t.conn.process.ClosePipes() // somebody outside the group may hold the other end
	}
}

// ended says how the program ended, with the last that it wrote to its standard error. It is for when the connection is
// over, and waits up to a second for the program to be so, too.
func (t *stdioTransport) ended() error {
	t.mu.Lock()
	c := t.conn
	t.mu.Unlock()
	if c == nil {
		return errors.New("the program was not started")
	}
	how := "its standard output ended"
	patience := time.After(time.Second)
	select {
	case <-c.process.Done():
		how = "exit status 0"
		if err := c.process.Err(); err != nil {
			how = err.Error()
		}
	case <-patience:
	}
	select {
	case <-c.silent:
	case <-patience:
	}
	if last := t.secrets.redact(c.tail.String()); last != "" {
		how += ": " + last
	}
	return errors.New(how)
}

// stdioConn is a connection with a program.
type stdioConn struct {
	process  *process.Process
	lines    *lineReader // of the one goroutine that reads
	unread   []jsonrpc.Message
	asked    asked
	log      *zap.Logger
	noisy    bool // the program has printed what is no message
	secrets  redactor
	tail     process.Tail
	outgoing chan outgoing
	silent   chan struct{} // closed when the standard error was read to its end

	owned     sync.WaitGroup // what runs until Close
	closeOnce sync.Once
	closed    chan struct{} // closed when Close begins
}

func (c *stdioConn) SessionID() string { return "" }

// leftover is how long the standard error is read on after the program's end, where somebody outside its group holds it open.
const leftover = time.Second

// Close ends the program in good order and waits until nothing of it is left; kill hurries it.
func (c *stdioConn) Close() error {
	c.closeOnce.Do(func() {
		close(c.closed)
		c.process.End(context.Background())
		select {
		case <-c.silent: // what it wrote last says why it ended
		case <-time.After(leftover):
		}
		c.process.ClosePipes()
		c.owned.Wait()
	})
	return nil
}
