package main

import (
	"errors"
	"fmt"
	"regexp"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// The exit codes. Scripts depend on them.
const (
	exitOK          = 0
	exitBroken      = 1 // the run ended before its time
	exitUsage       = 2
	exitFailures    = 3 // the run is complete, with failed requests
	exitInterrupted = 130
)

// statusError ends the program with an exit code and nothing more to say.
type statusError int

func (e statusError) Error() string { return fmt.Sprintf("exit status %d", int(e)) }

// usageError is a mistake in how the program was called.
type usageError struct{ err error }

func (e *usageError) Error() string { return e.err.Error() }
func (e *usageError) Unwrap() error { return e.err }

func usagef(format string, args ...any) error { return &usageError{fmt.Errorf(format, args...)} }

func exitCode(err error) int {
	var status statusError
	var usage *usageError
	switch {
	case err == nil:
		return exitOK
	case errors.As(err, &status):
		return int(status)
	case errors.As(err, &usage), isUnknownCommand(err):
		return exitUsage
	}
	return exitBroken
}

// errorText returns the line to print for err, or "" where everything is said.
func errorText(cmd *cobra.Command, err error) string {
	var status statusError
	if err == nil || errors.As(err, &status) {
		return ""
	}
	text := oneLine(err)
	if exitCode(err) == exitUsage {
		text += fmt.Sprintf("; see '%s --help'", cmd.CommandPath())
	}
	return text
}

// oneLine returns the error's text. Joined errors stand on lines of their own; people and logs get one line.
func oneLine(err error) string { return strings.ReplaceAll(err.Error(), "\n", "; ") }

// isUnknownCommand recognises the usage error that cobra's own commands (completion, help) make: it has no type.
func isUnknownCommand(err error) bool { return strings.HasPrefix(err.Error(), "unknown command ") }

// flagError gives flag errors the form that all settings have.
func flagError(_ *cobra.Command, err error) error {
	if invalid, ok := errors.AsType[*pflag.InvalidValueError](err); ok {
		return usagef("--%s: %w", invalid.GetFlag().Name, invalid.Unwrap())
	}
	if unknown, ok := errors.AsType[*pflag.NotExistError](err); ok {
		return unknownFlag(unknown)
	}
	return &usageError{err}
}

var keyFlag = regexp.MustCompile(`(?i)^-k$|(key|keys|token|secret|password)$`)

// unknownFlag never repeats what was given to a flag: it may be a key.
func unknownFlag(unknown *pflag.NotExistError) error {
	flag := "--" + unknown.GetSpecifiedName()
	if unknown.GetSpecifiedShortnames() != "" {
		flag = "-" + unknown.GetSpecifiedName()[:1]
	}
	if keyFlag.MatchString(flag) {
		return usagef("unknown flag: %s: keys are no arguments, which others on this machine can read: set the provider's "+
			"environment variable, such as OPENAI_API_KEY, or give --api-key-file", flag)
	}
	return usagef("unknown flag: %s", flag)
}

// atMostOneInput is the argument rule of the commands that read requests. A setting may give the input, too.
func atMostOneInput(cmd *cobra.Command, args []string) error {
	if len(args) > 1 {
		return usagef("%s takes one input, got %d: %s", cmd.Name(), len(args), strings.Join(args, " "))
	}
	return nil
}
