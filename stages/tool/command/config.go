package command

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/gluepipe/gluepipe/stages/tool/internal/process"
)

// Config describes a program as a tool. The zero value of a field means its default.
type Config struct {
	// Name has 1 to 64 letters, digits, underscores and hyphens. Description tells the model what the tool is for.
	Name, Description string
	// Parameters is the JSON schema of the arguments, an object's; nil is an object without properties.
	Parameters json.RawMessage
	// Command is the program, by name (then it is found in PATH) or by path (relative to Dir), and its arguments. An argument
	// may hold {{.field}}, for each property of Parameters. Where none does, the program reads the model's arguments as one
	// JSON object from its standard input; else its standard input is empty.
	Command []string
	// Env is what the program's environment has beside a few variables such as PATH and HOME: "NAME" is taken over from this
	// process where it is set there, "NAME=value" is set. Nothing else of this process's environment reaches the program.
	Env []string
	// Dir is the program's working directory; "" is this process's. It must exist.
	Dir string
	// Timeout is of one call; 0: the run's, below 0: none.
	Timeout time.Duration
	// MaxOutput bounds the answer, in bytes. What is longer is cut. The default is 1 MiB; -1 is no bound.
	MaxOutput int64
	// MaxConcurrent bounds how many of the program run at once; more calls wait. The default is 16; -1 is no bound.
	MaxConcurrent int
	// ReadOnly says that the program changes nothing in the world, Destructive that what it changes may be lost.
	ReadOnly, Destructive bool
}

const (
	defaultMaxOutput     = 1 << 20
	defaultMaxConcurrent = 16
)

// program checks a configuration, and returns what is to be started.
func (c *Config) program() (process.Config, error) {
	switch {
	case len(c.Command) == 0:
		return process.Config{}, errors.New("the command is empty")
	case strings.Contains(c.Command[0], "{{"):
		return process.Config{}, fmt.Errorf("the program %q: the model can't choose it; only arguments may hold {{.field}}", c.Command[0])
	case c.MaxOutput < -1:
		return process.Config{}, fmt.Errorf("the output limit is %d, want -1 (no bound) or more", c.MaxOutput)
	case c.MaxConcurrent < -1:
		return process.Config{}, fmt.Errorf("MaxConcurrent is %d, want -1 (no bound) or more", c.MaxConcurrent)
	case c.ReadOnly && c.Destructive:
		return process.Config{}, errors.New("a tool can't be read-only and destructive")
	}
	if err := process.CheckDir(c.Dir); err != nil {
		return process.Config{}, err
	}
	path, err := process.Look(c.Command[0], c.Dir)
	if err != nil {
		return process.Config{}, err
	}
	env, err := process.Env(c.Env)
	if err != nil {
		return process.Config{}, err
	}
	return process.Config{Path: path, Env: env, Dir: c.Dir}, nil
}
