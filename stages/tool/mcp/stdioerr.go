package mcp

import (
	"bufio"
	"cmp"
	"errors"
	"io"
	"slices"
	"strings"

	"go.uber.org/zap"

	"github.com/gluepipe/gluepipe/stages/tool/internal/process"
)

// maxLogged bounds what is logged of a line, in bytes.
const maxLogged = 1 << 10

// logLines reads what a program writes to its standard error until that ends: it must not fill up. The log has it line by
// line, the tail its end.
func logLines(from io.Reader, tail io.Writer, secrets redactor, log *zap.Logger) {
	lines := bufio.NewReaderSize(io.TeeReader(from, tail), maxLogged)
	for begins := true; ; {
		piece, err := lines.ReadSlice('\n')
		if text := process.OneLine(string(piece)); begins && text != "" {
			log.Debug("the server says on its standard error", zap.String("line", secrets.redact(text)))
		}
		begins = err == nil // the rest of a line that is too long for the log is left out
		if err != nil && !errors.Is(err, bufio.ErrBufferFull) {
			return
		}
	}
}

// redactor takes the values of a server's own environment out of what the server says: they are its keys more often than not.
type redactor []string

// minRedacted is the length of the shortest value that is taken out; shorter ones are words and numbers.
const minRedacted = 8

func newRedactor(env []string) redactor {
	var secrets redactor
	for _, entry := range env {
		if value := process.Value(entry); len(value) >= minRedacted {
			secrets = append(secrets, value)
		}
	}
	slices.SortFunc(secrets, func(a, b string) int { return cmp.Compare(len(b), len(a)) }) // one may begin another
	return secrets
}

func (r redactor) redact(text string) string {
	for _, secret := range r {
		text = strings.ReplaceAll(text, secret, "[secret]")
	}
	return text
}
