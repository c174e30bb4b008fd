package command_test

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/gluepipe/gluepipe/stages/batch"
	"github.com/gluepipe/gluepipe/stages/tool"
	"github.com/gluepipe/gluepipe/stages/tool/command"
)

func TestAProgramWithoutTemplatesReadsTheArgumentsAsJSON(t *testing.T) {
	require.Equal(t, `{"a": 1.50, "c": "é"}`, call(t, config(t, "cat", "fixed"), `{"a": 1.50, "c": "é"}`))
}

func TestAProgramWithTemplatesHasAnEmptyInput(t *testing.T) {
	require.Empty(t, call(t, config(t, "cat", "{{.a}}"), `{"a": "x"}`))
}

func TestOneNewlineAtTheEndIsNoPartOfTheAnswer(t *testing.T) {
	require.Equal(t, "caf\xe9\n", call(t, config(t, "no text"), `{"a": 1}`))
}

func TestAnAnswerThatIsNoTextBecomesText(t *testing.T) {
	executions := tool.Run(t.Context(), []batch.Tool{newTool(t, config(t, "no text"))},
		[]batch.ToolCall{{Name: "f", Arguments: `{"a": 1}`}}, tool.RunOptions{})
	require.Equal(t, "caf\uFFFD\n", executions[0].Result)
	require.False(t, executions[0].Error)
}

func TestTheStandardErrorOfASuccessIsIgnored(t *testing.T) {
	require.Empty(t, call(t, config(t, "silent"), `{"a": 1}`))
}

func TestOneHundredMebibytesAreCutInBoundedMemory(t *testing.T) {
	large := newTool(t, config(t, "large"))
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	answer, err := large.Call(t.Context(), json.RawMessage(`{"a": 1}`))
	runtime.ReadMemStats(&after)
	var cut *tool.CutError
	require.ErrorAs(t, err, &cut)
	require.Equal(t, int64(100<<20), cut.Size)
	require.Len(t, answer, 1<<20)
	require.Less(t, after.TotalAlloc-before.TotalAlloc, uint64(16<<20))
}

func TestTheOutputLimitIsTheConfigurations(t *testing.T) {
	c := config(t, "cat")
	for limit, want := range map[int64]string{4: `{"a"`, 8: `{"a": 1}`, -1: `{"a": 1}`} {
		c.MaxOutput = limit
		answer, err := newTool(t, c).Call(t.Context(), json.RawMessage(`{"a": 1}`))
		require.Equal(t, want, answer)
		require.Equal(t, limit == 4, err != nil)
	}
}

func TestAnExitStatusIsAFailureThatSaysWhy(t *testing.T) {
	_, err := newTool(t, config(t, "exit 3")).Call(t.Context(), json.RawMessage(`{"a": 1}`))
	require.EqualError(t, err, "exit status 3: no such city\nits output:\n{\"found\": 0}")
	_, err = newTool(t, config(t, "large and exit 1")).Call(t.Context(), json.RawMessage(`{"a": 1}`))
	require.EqualError(t, err, "exit status 1\nits output:\n"+strings.Repeat("x", 16<<10)+"\n[cut: the first 16384 of 1048576 bytes]")
}

func TestAProgramNeedNotReadALargeInput(t *testing.T) {
	require.Empty(t, call(t, config(t, "silent"), `{"a": "`+strings.Repeat("x", 4<<20)+`"}`))
}

func TestALargeInputReachesAProgramThatReadsIt(t *testing.T) {
	c := config(t, "cat")
	c.MaxOutput = -1
	arguments := `{"a": "` + strings.Repeat("x", 4<<20) + `"}`
	require.Equal(t, arguments, call(t, c, arguments))
}

func TestAProgramThatHangsIsKilledWithItsChildrenWhenTheContextEnds(t *testing.T) {
	for _, program := range []string{"stubborn", "guardian"} {
		c := config(t, program)
		ready := filepath.Join(t.TempDir(), "ready")
		c.Env = append(c.Env, "READY="+ready)
		ctx, cancel := context.WithCancelCause(t.Context())
		ended := make(chan error)
		f := newTool(t, c)
		go func() {
			_, err := f.Call(ctx, json.RawMessage(`{"a": 1}`))
			ended <- err
		}()
		require.Eventually(t, func() bool { return read(ready) != "" }, time.Minute, time.Millisecond)
		cancel(fmt.Errorf("enough"))
		require.EqualError(t, <-ended, "enough")
	}
}

func TestAProgramIsNotAskedToEndWhenTheContextEnds(t *testing.T) {
	dir := t.TempDir()
	c := config(t, "polite")
	c.Env, c.Dir = append(c.Env, "READY=ready"), dir
	ctx, cancel := context.WithCancel(t.Context())
	go func() {
		for range time.Tick(time.Millisecond) {
			if read(filepath.Join(dir, "ready")) != "" {
				break
			}
		}
		cancel()
	}()
	_, err := newTool(t, c).Call(ctx, json.RawMessage(`{"a": 1}`))
	require.ErrorIs(t, err, context.Canceled)
	require.NoFileExists(t, filepath.Join(dir, "asked"))
}

func TestACallEndsWithItsProgramThoughAChildHoldsTheOutput(t *testing.T) {
	require.Equal(t, "done", call(t, config(t, "parent"), `{"a": 1}`))
}

func TestNothingIsStartedOnceTheContextHasEnded(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err := newTool(t, config(t, "cat")).Call(ctx, json.RawMessage(`{"a": 1}`))
	require.ErrorIs(t, err, context.Canceled)
}

func TestArgumentsThatBreakTheSchemaReachNoProgram(t *testing.T) {
	_, err := newTool(t, config(t, "exit 3")).Call(t.Context(), json.RawMessage(`{"b": true}`))
	require.ErrorContains(t, err, `arguments: at "/a": missing property`)
}

func TestNoKeyOfTheEnvironmentReachesAProgram(t *testing.T) {
	t.Setenv("OPENAI_API_KEY", "sk-secret")
	t.Setenv("CITY_TOKEN", "taken over")
	c := config(t, "environment")
	c.Env = append(c.Env, "CITY_TOKEN", "SET=value")
	env := strings.Split(call(t, c, `{"a": 1}`), "\n")
	require.Subset(t, env, []string{"CITY_TOKEN=taken over", "SET=value", "PATH=" + os.Getenv("PATH")})
	require.NotContains(t, strings.Join(env, "\n"), "OPENAI_API_KEY")
}

func TestAProgramWorksInItsDirectory(t *testing.T) {
	c := config(t, "directory")
	c.Dir = t.TempDir()
	require.Equal(t, c.Dir, call(t, c, `{"a": 1}`))
}

func TestCallsAtOnceAreBounded(t *testing.T) {
	c := config(t, "cat")
	c.MaxConcurrent = 1
	f := newTool(t, c)
	release, err := f.Acquire(t.Context())
	require.NoError(t, err)
	ctx, cancel := context.WithCancelCause(t.Context())
	cancel(fmt.Errorf("enough"))
	_, err = f.Acquire(ctx)
	require.EqualError(t, err, "enough")
	release()
	release, err = f.Acquire(t.Context())
	require.NoError(t, err)
	release()
	c.MaxConcurrent = -1
	require.Nil(t, newTool(t, c).Acquire)
}

func TestWhatIsKnownOfTheToolIsHandedOn(t *testing.T) {
	c := config(t, "cat")
	c.Description, c.Timeout, c.Destructive = "tells", time.Second, true
	f := newTool(t, c)
	require.Equal(t, "tells", f.Description)
	require.Equal(t, time.Second, f.Timeout)
	require.True(t, f.Destructive)
	require.False(t, f.ReadOnly)
}

func TestAProgramThatIsGoneIsThatCallsFailure(t *testing.T) {
	self, err := os.Executable()
	require.NoError(t, err)
	program := filepath.Join(t.TempDir(), "program")
	require.NoError(t, os.Symlink(self, program))
	c := config(t, "cat")
	c.Command[0] = program
	f := newTool(t, c)
	require.NoError(t, os.Remove(program))
	_, err = f.Call(t.Context(), json.RawMessage(`{"a": 1}`))
	require.ErrorIs(t, err, os.ErrNotExist)
	require.ErrorContains(t, err, "starting the program: ")
}

func TestAWrongConfigurationIsExplained(t *testing.T) {
	dir := t.TempDir()
	require.NoError(t, os.WriteFile(filepath.Join(dir, "text"), nil, 0o600))
	for want, edit := range map[string]func(c *command.Config){
		`tool "f": the command is empty`: func(c *command.Config) { c.Command = nil },
		`tool "f": the program "{{.a}}": the model can't choose it; only arguments may hold {{.field}}`: func(c *command.Config) {
			c.Command = []string{"{{.a}}"}
		},
		`tool "f": the program "no-such-tool" is not in PATH: install it, or give its path`: func(c *command.Config) {
			c.Command[0] = "no-such-tool"
		},
		`tool "f": the program "./text" is not executable (chmod +x makes it so)`: func(c *command.Config) {
			c.Command[0], c.Dir = "./text", dir
		},
		`tool "f": the directory "` + dir + `/gone" does not exist`: func(c *command.Config) { c.Dir = dir + "/gone" },
		`tool "f": env: want "NAME" or "NAME=value", got one with the name ""`: func(c *command.Config) {
			c.Env = []string{"=x"}
		},
		`tool "f": the output limit is -2, want -1 (no bound) or more`: func(c *command.Config) { c.MaxOutput = -2 },
		`tool "f": MaxConcurrent is -2, want -1 (no bound) or more`:    func(c *command.Config) { c.MaxConcurrent = -2 },
		`tool "f": a tool can't be read-only and destructive`:          func(c *command.Config) { c.ReadOnly, c.Destructive = true, true },
		`tool "f": argument 1, "{{.d}}": no parameter "d"; the parameters are: a, b, c`: func(c *command.Config) {
			c.Command = append(c.Command, "{{.d}}")
		},
		`tool "f": argument 1, "{{.a}}": no parameter "a"; the tool has no parameters`: func(c *command.Config) {
			c.Command, c.Parameters = append(c.Command, "{{.a}}"), nil
		},
		`tool "f": argument 2, "{{if .a}}x{{end}}": {{if .a}}x{{end}} is not {{.field}}, which is all that an argument may hold`: func(
			c *command.Config,
		) {
			c.Command = append(c.Command, "x", "{{if .a}}x{{end}}")
		},
		`tool "f": argument 1, "{{.a.b}}": {{.a.b}} is not {{.field}}, which is all that an argument may hold`: func(c *command.Config) {
			c.Command = append(c.Command, "{{.a.b}}")
		},
		`tool "f": argument 1, "{{.a": unclosed action`: func(c *command.Config) { c.Command = append(c.Command, "{{.a") },
	} {
		c := config(t, "cat")
		edit(&c)
		_, err := command.New(c)
		require.EqualError(t, err, want)
	}
	c := config(t, "cat")
	c.Name = "a name"
	_, err := command.New(c)
	require.ErrorContains(t, err, "letters, digits, underscores and hyphens")
}

func read(path string) string {
	text, _ := os.ReadFile(path)
	return string(text)
}
