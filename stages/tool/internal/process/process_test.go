package process_test

import (
	"context"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/gluepipe/gluepipe/stages/tool/internal/process"
)

// requireNobodyLeft waits until nobody holds the program's standard error any more: not it, nor what it has started.
func requireNobodyLeft(t *testing.T, p *process.Process) {
	t.Helper()
	_, err := io.Copy(io.Discard, p.Stderr)
	require.NoError(t, err)
}

func TestAProgramEndsByItselfWhenItsInputEnds(t *testing.T) {
	p := start(t, "echo")
	_, err := io.WriteString(p.Stdin, "hello\n")
	require.NoError(t, err)
	require.Equal(t, "hello", line(t, p))
	p.End(t.Context())
	require.NoError(t, p.Err())
	stderr, err := io.ReadAll(p.Stderr)
	require.NoError(t, err)
	require.Equal(t, "input has ended\n", string(stderr))
}

func TestAProgramThatDoesNotReadItsInputIsAskedToTerminate(t *testing.T) {
	p := start(t, "polite")
	require.Equal(t, "ready", line(t, p))
	p.End(t.Context())
	require.NoError(t, p.Err())
}

func TestAProgramThatIgnoresWhatItIsAskedIsKilled(t *testing.T) {
	p := start(t, "stubborn")
	require.Equal(t, "ready", line(t, p))
	p.End(t.Context())
	require.EqualError(t, p.Err(), "signal: killed")
}

func TestNobodyWaitsForAProgramOnceTheContextHasEnded(t *testing.T) {
	p := start(t, "polite")
	require.Equal(t, "ready", line(t, p))
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	p.End(ctx)
	require.EqualError(t, p.Err(), "signal: killed") // which it would have outlived politely otherwise
}

func TestWhatAProgramHasStartedIsKilledWithIt(t *testing.T) {
	p := start(t, "guardian")
	require.Equal(t, "ready", line(t, p))
	p.Kill()
	require.EqualError(t, p.Err(), "signal: killed")
	requireNobodyLeft(t, p)
}

func TestWhatAProgramLeavesBehindIsKilledWhenItHasEnded(t *testing.T) {
	p := start(t, "parent")
	require.NoError(t, p.Err())
	requireNobodyLeft(t, p)
}

func TestAProgramThatHasEndedCanBeEndedAgain(t *testing.T) {
	p := start(t, "exit 3")
	require.EqualError(t, p.Err(), "exit status 3")
	p.Kill()
	p.End(t.Context())
	require.EqualError(t, p.Err(), "exit status 3")
}

func TestClosingThePipesEndsReadsThatWait(t *testing.T) {
	p := start(t, "stubborn")
	require.Equal(t, "ready", line(t, p))
	read := make(chan error)
	go func() {
		_, err := p.Stdout.Read(make([]byte, 1))
		read <- err
	}()
	p.ClosePipes()
	require.Error(t, <-read)
}

func TestWhatCannotBeStartedLeavesNothingOpen(t *testing.T) {
	c := config(t, "echo")
	c.Path = filepath.Join(t.TempDir(), "gone")
	_, err := process.Start(c)
	require.ErrorIs(t, err, os.ErrNotExist)
}

func TestTheEnvironmentIsASmallBaseAndWhatIsAskedFor(t *testing.T) {
	t.Setenv("OPENAI_API_KEY", "sk-secret")
	t.Setenv("GITHUB_TOKEN", "ghp_secret")
	t.Setenv("LC_ALL", "C.UTF-8")
	p := start(t, "environment", "GITHUB_TOKEN", "NOT_THERE", "SET=to=this", "TZ=Asia/Tokyo")
	stdout, err := io.ReadAll(p.Stdout)
	require.NoError(t, err)
	env := strings.Split(string(stdout), "\n")
	require.Subset(t, env, []string{
		"PATH=" + os.Getenv("PATH"), "GITHUB_TOKEN=ghp_secret", "SET=to=this", "TZ=Asia/Tokyo", "LC_ALL=C.UTF-8",
	})
	require.NotContains(t, string(stdout), "OPENAI_API_KEY")
	require.NotContains(t, string(stdout), "NOT_THERE")
}

func TestAnEntryOfTheEnvironmentThatIsNoneIsRefusedWithoutItsValue(t *testing.T) {
	for entry, want := range map[string]string{
		"":                    `env: want "NAME" or "NAME=value", got one with the name ""`,
		"=secret":             `env: want "NAME" or "NAME=value", got one with the name ""`,
		"MY TOKEN=secret":     `env: want "NAME" or "NAME=value", got one with the name "MY TOKEN"`,
		"TOKEN=secret\x00abc": `env: the value of "TOKEN" has a NUL byte`,
	} {
		_, err := process.Env([]string{entry})
		require.EqualError(t, err, want)
	}
}

func TestAProgramIsFoundInPathOrByItsOwnPath(t *testing.T) {
	dir := t.TempDir()
	program := filepath.Join(dir, "bin", "tool")
	require.NoError(t, os.Mkdir(filepath.Dir(program), 0o755))
	require.NoError(t, os.WriteFile(program, nil, 0o755))
	t.Setenv("PATH", filepath.Dir(program))
	for name, in := range map[string]string{"tool": "", program: "", "bin/tool": dir, "./tool": filepath.Join(dir, "bin")} {
		path, err := process.Look(name, in)
		require.NoError(t, err)
		require.Equal(t, program, path)
	}
	t.Chdir(dir)
	for name, in := range map[string]string{"bin/tool": "", "./tool": "bin"} {
		path, err := process.Look(name, in)
		require.NoError(t, err)
		require.Equal(t, program, path)
	}
}

func TestAProgramThatCannotBeRunIsExplained(t *testing.T) {
	dir := t.TempDir()
	require.NoError(t, os.WriteFile(filepath.Join(dir, "text"), nil, 0o600))
	for name, want := range map[string]string{
		"":             "the command names no program",
		"no-such-tool": `the program "no-such-tool" is not in PATH: install it, or give its path`,
		"./gone":       `the program "./gone" does not exist`,
		"./text":       `the program "./text" is not executable (chmod +x makes it so)`,
	} {
		_, err := process.Look(name, dir)
		require.EqualError(t, err, want)
	}
	_, err := process.Look(dir, "")
	require.ErrorContains(t, err, dir)
}

func TestADirectoryToWorkInMustBeThere(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "file")
	require.NoError(t, os.WriteFile(file, nil, 0o600))
	require.NoError(t, process.CheckDir(""))
	require.NoError(t, process.CheckDir(dir))
	require.EqualError(t, process.CheckDir(filepath.Join(dir, "gone")), `the directory "`+filepath.Join(dir, "gone")+`" does not exist`)
	require.EqualError(t, process.CheckDir(file), `"`+file+`" is not a directory`)
}

func TestATailKeepsTheLastFourKibibytes(t *testing.T) {
	for _, sizes := range [][]int{{10}, {4096}, {4097}, {5000}, {3000, 3000}, {1, 4096}, {9000, 10}, {10, 9000}} {
		var tail process.Tail
		var all strings.Builder
		for i, size := range sizes {
			piece := strings.Repeat(string(rune('a'+i)), size)
			n, err := io.WriteString(&tail, piece)
			require.NoError(t, err)
			require.Equal(t, size, n)
			all.WriteString(piece)
		}
		want := all.String()
		if over := len(want) - 4096; over > 0 {
			want = "..." + want[over:]
		}
		require.Equal(t, want, tail.String(), sizes)
	}
}

func TestATailBeginsWithAWholeLine(t *testing.T) {
	var tail process.Tail
	_, err := io.WriteString(&tail, "the token is hunter2"+strings.Repeat(" ", 4080)+"\nlast\n")
	require.NoError(t, err)
	require.Equal(t, "...last", tail.String())
}

func TestATailIsOnePrintableLine(t *testing.T) {
	var tail process.Tail
	require.Empty(t, tail.String())
	_, err := io.WriteString(&tail, "Error: \x1b[31mno token\x1b[0m\r\n\n\tat main\xff\n")
	require.NoError(t, err)
	require.Equal(t, "Error: [31mno token[0m; at main\uFFFD", tail.String())
}

func TestTheErrorOfAnEndTellsTheStatus(t *testing.T) {
	p := start(t, "exit 3")
	var exit *exec.ExitError
	require.ErrorAs(t, p.Err(), &exit)
	require.Equal(t, 3, exit.ExitCode())
}
