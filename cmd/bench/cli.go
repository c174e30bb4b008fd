package main

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

func runCLI(ctx context.Context, l *load) (*outcome, error) {
	return l.runProgram(ctx, "run", l.input, "-o", l.output, "--model", "openai:"+model, "--base-url", l.url,
		"-c", strconv.Itoa(l.inFlight))
}

// runProgram measures a program from its start to its end. What it allocates stays unknown.
func (l *load) runProgram(ctx context.Context, args ...string) (*outcome, error) {
	cmd := exec.CommandContext(ctx, l.program, args...)
	cmd.Dir = filepath.Dir(l.output) // where no .env and no gluepipe.yaml of the user's is
	cmd.Env = foreignEnv()
	var said bytes.Buffer
	cmd.Stdout, cmd.Stderr = &said, &said
	began := time.Now()
	if err := cmd.Run(); err != nil {
		return nil, fmt.Errorf("%s: %w\n%s", l.program, err, lastLines(said.String()))
	}
	return &outcome{
		Requests: l.requests, Calls: l.requests, Seconds: time.Since(began).Seconds(),
		CPU:     microseconds(cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime()),
		PeakMiB: peakOf(cmd.ProcessState),
	}, nil
}

// foreignEnv is the environment without the user's settings of gluepipe and keys of OpenAI.
func foreignEnv() []string {
	var env []string
	for _, variable := range os.Environ() {
		if !strings.HasPrefix(variable, "GLUEPIPE_") && !strings.HasPrefix(variable, "OPENAI_") {
			env = append(env, variable)
		}
	}
	return append(env, "OPENAI_API_KEY="+apiKey)
}

func lastLines(text string) string {
	lines := strings.Split(strings.TrimSpace(text), "\n")
	return strings.Join(lines[max(0, len(lines)-5):], "\n")
}

// build makes a program of this module.
func build(ctx context.Context, to, pkg string) error {
	said, err := exec.CommandContext(ctx, "go", "build", "-o", to, pkg).CombinedOutput()
	if err != nil {
		return fmt.Errorf("building %s (run this inside its module, or give -gluepipe PATH): %w\n%s", pkg, err, said)
	}
	return nil
}
