package command

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"math"
	"strings"
	"sync"
	"time"

	"github.com/gluepipe/gluepipe/stages/tool"
	"github.com/gluepipe/gluepipe/stages/tool/internal/process"
)

const (
	// maxFailureOutput bounds what is told of the output of a program that failed, in bytes: many programs say there why.
	maxFailureOutput = 16 << 10
	// leftover is how long the output is read on after the program's end, where somebody outside its group holds it open.
	leftover = time.Second
)

// run starts the program, waits for its end, and returns its answer.
func run(ctx context.Context, program process.Config, stdin []byte, maxOutput int64) (string, error) {
	p, err := process.Start(program)
	if err != nil {
		return "", fmt.Errorf("starting the program: %w", err)
	}
	var stderr process.Tail
	stdout := head{limit: maxOutput}
	var pipes sync.WaitGroup
	pipes.Go(func() { _, _ = io.Copy(&stdout, p.Stdout) })
	pipes.Go(func() { _, _ = io.Copy(&stderr, p.Stderr) })
	pipes.Go(func() {
		_, _ = p.Stdin.Write(stdin) // a program may end well without having read it
		p.Stdin.Close()
	})
	select {
	case <-p.Done():
		limit := time.AfterFunc(leftover, p.ClosePipes)
		defer limit.Stop()
		p.Stdin.Close()
	case <-ctx.Done():
		p.Kill()
		<-p.Done()
		p.ClosePipes()
		pipes.Wait()
		return "", context.Cause(ctx)
	}
	pipes.Wait()
	p.ClosePipes()
	if err := p.Err(); err != nil {
		return "", failure(err, stderr.String(), &stdout)
	}
	return stdout.answer()
}

// failure is the error of a program that did not exit with 0.
func failure(status error, stderr string, stdout *head) error {
	var text strings.Builder
	text.WriteString(status.Error())
	if stderr != "" {
		text.WriteString(": " + stderr)
	}
	kept := bytes.TrimSpace(stdout.kept)
	if len(kept) == 0 {
		return fmt.Errorf("%s", text.String())
	}
	text.WriteString("\nits output:\n")
	if len(kept) > maxFailureOutput || stdout.size > int64(len(stdout.kept)) {
		kept = kept[:min(len(kept), maxFailureOutput)]
		fmt.Fprintf(&text, "%s\n[cut: the first %d of %d bytes]", kept, len(kept), stdout.size)
	} else {
		text.Write(kept)
	}
	return fmt.Errorf("%s", text.String())
}

// head keeps the beginning of what is written to it, and counts the rest. A limit of less than 0 is none.
type head struct {
	limit int64
	kept  []byte
	size  int64
}

func (h *head) Write(p []byte) (int, error) {
	room := int64(math.MaxInt64)
	if h.limit >= 0 {
		room = h.limit - int64(len(h.kept))
	}
	h.kept = append(h.kept, p[:min(int64(len(p)), room)]...)
	h.size += int64(len(p))
	return len(p), nil
}

func (h *head) answer() (string, error) {
	if h.size > int64(len(h.kept)) {
		return string(h.kept), &tool.CutError{Size: h.size}
	}
	return strings.TrimSuffix(strings.TrimSuffix(string(h.kept), "\n"), "\r"), nil
}
