package mcp

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/modelcontextprotocol/go-sdk/jsonrpc"
	"go.uber.org/zap"
)

const (
	// streamMark begins the ids that are given to events of ours.
	streamMark = "gluepipe-"
	// A stream should end after the call's answer. How long and how far it is read then, so that its connection can be used
	// again.
	lingerTime  = time.Second
	lingerBytes = 64 << 10
)

var errTooLong = errors.New("too long")

// events is a stream of server-sent events: the answers to a call and messages beside it, or the server's own messages.
// Events that are too long or not JSON-RPC don't reach the SDK.
type events struct {
	lines *bufio.Reader
	call  jsonrpc.ID // not valid for the server's own messages
	max   int64
	asked *asked
	log   *zap.Logger
	stop  func()       // ends the reading of lines
	ready bytes.Buffer // to be handed out
	over  error        // what follows it

	answered bool // the call's answer has been read
}

func newEvents(body io.Reader, call jsonrpc.ID, limit int64, a *asked, log *zap.Logger) *events {
	return &events{lines: bufio.NewReader(body), call: call, max: limit, asked: a, log: log}
}

// mark begins the stream with an event that has only an id. The SDK ends a session whose stream has ended several times
// without one, as it does behind a proxy that closes quiet connections.
func (e *events) mark(n int64) { fmt.Fprintf(&e.ready, "id: %s%d\n\n", streamMark, n) }

func (e *events) Read(p []byte) (int, error) {
	for e.ready.Len() == 0 {
		if e.over != nil {
			return 0, e.over
		}
		e.over = e.next()
	}
	return e.ready.Read(p)
}

// next makes the next event ready, if it is good, and returns what ends the stream.
func (e *events) next() error {
	if e.answered {
		return e.linger()
	}
	var fields, data bytes.Buffer
	aside := false
	for left := e.max; ; {
		line, err := e.line(left)
		if err == errTooLong {
			e.log.Warn("a message of the server is too long", zap.Int64("more_than", e.max))
			return e.fail(fmt.Errorf("the answer has more than the %d bytes that are read", e.max))
		}
		left -= int64(len(line))
		line = bytes.TrimRight(line, "\r\n")
		field, value, _ := bytes.Cut(line, []byte(":"))
		value = bytes.TrimPrefix(value, []byte(" "))
		switch string(field) {
		case "data":
			data.Write(append(value, '\n'))
		case "event": // only messages are of the protocol
			aside = len(value) > 0 && string(value) != "message"
		case "id", "retry":
			fmt.Fprintf(&fields, "%s: %s\n", field, value)
		}
		if len(line) == 0 || err != nil {
			if aside {
				data.Reset()
			}
			e.take(fields.Bytes(), bytes.TrimSpace(data.Bytes()))
			return err
		}
	}
}

// line reads a line of at most limit bytes, with its end.
func (e *events) line(limit int64) ([]byte, error) {
	var line []byte
	for {
		part, err := e.lines.ReadSlice('\n')
		if int64(len(line)+len(part)) > limit {
			return nil, errTooLong
		}
		line = append(line, part...)
		if err != bufio.ErrBufferFull {
			return line, err
		}
	}
}

// take makes an event ready. Its fields count even where its data is no message: they say where to go on from.
func (e *events) take(fields, data []byte) {
	if len(data) > 0 {
		message, err := jsonrpc.DecodeMessage(data)
		if err != nil {
			e.log.Debug("an event of the server is no message", zap.Error(err))
			data = nil
		}
		if !e.asked.admit(message) {
			data = nil
		}
		response, ok := message.(*jsonrpc.Response)
		e.answered = ok && e.call.IsValid() && response.ID == e.call
	}
	if len(fields) == 0 && len(data) == 0 {
		return
	}
	e.ready.Write(fields)
	if len(data) > 0 {
		for line := range bytes.Lines(data) {
			fmt.Fprintf(&e.ready, "data: %s\n", bytes.TrimRight(line, "\n"))
		}
	}
	e.ready.WriteByte('\n')
}

// fail ends the stream with an error for the call.
func (e *events) fail(err error) error {
	if e.call.IsValid() {
		e.take(nil, failed(e.call, err))
	}
	return io.EOF
}

// linger reads a stream to its end, unless that is far away.
func (e *events) linger() error {
	timer := time.AfterFunc(lingerTime, e.stop)
	defer timer.Stop()
	_, _ = io.CopyN(io.Discard, e.lines, lingerBytes) // whatever ends it
	return io.EOF
}
