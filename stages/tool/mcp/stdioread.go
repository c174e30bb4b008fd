package mcp

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"

	"github.com/modelcontextprotocol/go-sdk/jsonrpc"
	"go.uber.org/zap"

	"github.com/gluepipe/gluepipe/stages/tool/internal/process"
)

// Read returns the next message. It waits until there is one, or the connection is closed; ctx doesn't end it.
func (c *stdioConn) Read(ctx context.Context) (jsonrpc.Message, error) {
	for len(c.unread) == 0 {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		line, err := c.lines.next()
		if err != nil {
			return nil, io.EOF // however it ended, and whoever ended it
		}
		c.unread = slices.DeleteFunc(c.messages(line), func(m jsonrpc.Message) bool { return !c.asked.admit(m) })
	}
	message := c.unread[0]
	c.unread = c.unread[1:]
	return message, nil
}

// messages returns what is in a line: several messages where it is an array, which servers of the protocol 2025-03-26 may
// send. What can't be read is the failure of the call that it answers; where it answers none, it is skipped.
func (c *stdioConn) messages(l line) []jsonrpc.Message {
	text := bytes.TrimSpace(l.text)
	switch {
	case l.tooLong > 0:
		reason := fmt.Errorf("the answer has %d bytes, more than the %d that are read", l.tooLong, c.lines.limit)
		return c.unreadable(l.answers, reason, nil)
	case len(text) == 0:
		return nil
	case text[0] != '[':
		return c.message(text)
	}
	var batch []json.RawMessage
	if err := json.Unmarshal(text, &batch); err != nil {
		return c.unreadable("", err, text)
	}
	var messages []jsonrpc.Message
	for _, one := range batch {
		messages = append(messages, c.message(one)...)
	}
	return messages
}

func (c *stdioConn) message(text []byte) []jsonrpc.Message {
	message, err := jsonrpc.DecodeMessage(text)
	if err != nil {
		var scan idScanner
		scan.write(text)
		return c.unreadable(scan.answers(), fmt.Errorf("the answer can't be read: %w", err), text)
	}
	return []jsonrpc.Message{message}
}

// unreadable makes an answer of what can't be read. id is the JSON of the id that it answers, or "".
func (c *stdioConn) unreadable(id string, reason error, text []byte) []jsonrpc.Message {
	var value any
	if json.Unmarshal([]byte(id), &value) == nil && value != nil {
		if id, err := jsonrpc.MakeID(value); err == nil {
			return []jsonrpc.Message{&jsonrpc.Response{
				ID: id, Error: &jsonrpc.Error{Code: jsonrpc.CodeInternalError, Message: reason.Error()},
			}}
		}
	}
	level := zap.DebugLevel
	if !c.noisy { // once is worth a warning: a program that logs to its standard output does so all the time
		c.noisy, level = true, zap.WarnLevel
	}
	excerpt := c.secrets.redact(process.OneLine(string(text[:min(len(text), maxLogged)])))
	c.log.Log(level, "the server printed what is no message; it is skipped", zap.Error(reason), zap.String("text", excerpt))
	return nil
}

// line is what a server wrote up to a newline.
type line struct {
	text    []byte // valid until the next line is read; nil where it was too long
	tooLong int64  // bytes of the line, if they were too many
	answers string // of a line that was too long: the JSON of the id that it answers, or ""
}

// lineReader reads lines in bounded memory.
type lineReader struct {
	from  *bufio.Reader
	limit int64
}

// next returns the next line. One that is longer than the limit is read to its end and thrown away; only whose answer it was
// is remembered. The last line may lack its newline.
func (r *lineReader) next() (line, error) {
	chunk, err := r.from.ReadSlice('\n')
	if err == nil && int64(len(chunk)) <= r.limit {
		return line{text: chunk}, nil
	}
	var kept []byte
	for {
		if int64(len(kept)+len(chunk)) > r.limit {
			return r.skip(kept, chunk, err)
		}
		kept = append(kept, chunk...)
		switch {
		case err == nil, err == io.EOF && len(kept) > 0:
			return line{text: kept}, nil
		case !errors.Is(err, bufio.ErrBufferFull):
			return line{}, err
		}
		chunk, err = r.from.ReadSlice('\n')
	}
}

// skip reads the rest of a line of which two pieces, and the error after them, have been read.
func (r *lineReader) skip(kept, chunk []byte, err error) (line, error) {
	var scan idScanner
	scan.write(kept)
	size := int64(len(kept))
	for {
		scan.write(chunk)
		size += int64(len(chunk))
		switch {
		case err == nil:
			return line{tooLong: size, answers: scan.answers()}, nil
		case !errors.Is(err, bufio.ErrBufferFull):
			return line{}, err
		}
		chunk, err = r.from.ReadSlice('\n')
	}
}
