package main

import (
	"context"
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// stdio holds the three standard streams. Data goes to out; progress, logs, the summary and errors go to err.
type stdio struct {
	in       io.Reader
	out, err io.Writer
}

// lookupFunc finds an environment variable, as [os.LookupEnv] does.
type lookupFunc func(name string) (string, bool)

// app is what the subcommands share.
type app struct {
	stdio
	args   []string // as given, so that a summary can tell how to go on
	lookup lookupFunc
	given  map[string]bool // the flags that the command line has, by name
	// origins says of the other flags, by name, where their values come from.
	origins map[string]string
	// definitions are what the configuration file describes; nil without one.
	definitions *definitions
}

// run is the whole program: it returns the exit code.
func run(ctx context.Context, args []string, streams stdio, lookup lookupFunc) int {
	a := &app{stdio: streams, args: args, lookup: lookup, origins: map[string]string{}}
	root := a.rootCommand()                   //nolint:contextcheck // cobra hands ctx to the commands
	root.SetArgs(append([]string{}, args...)) // nil would mean the process's own
	root.SetIn(a.in)
	root.SetOut(a.out)
	root.SetErr(messages{a.err})
	cmd, err := root.ExecuteContextC(ctx)
	if text := errorText(cmd, err); text != "" {
		a.notef("gluepipe: %s", text)
	}
	return exitCode(err)
}

func (a *app) rootCommand() *cobra.Command {
	root := &cobra.Command{
		Use:   "gluepipe",
		Short: "Run many LLM requests as a stream",
		Long: `gluepipe runs many LLM requests from a file: side by side, with tools and retries,
within rate limits, and so that a run that was interrupted goes on where it ended.`,
		Example: `  # One request a line; needs no network and no key.
  echo '{"user_message": "What is 123 * 456?"}' | gluepipe run - --model mock:echo --tools calculate

  # A file of requests, 64 at once. The same command again continues the run.
  gluepipe run requests.jsonl -o results.jsonl --model openai:gpt-4o-mini -c 64

  # Look at a file of requests before it costs money.
  gluepipe check requests.jsonl`,
		Args:          a.knownCommand,
		SilenceErrors: true,
		SilenceUsage:  true,
		RunE:          func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	root.SetFlagErrorFunc(flagError)
	root.AddCommand(a.runCommand(), a.checkCommand(), a.toolsCommand(), a.mockCommand(), a.versionCommand())
	for _, cmd := range root.Commands() {
		cmd.Flags().SortFlags = false
		completeChoices(cmd)
	}
	return root
}

// completeChoices teaches the shell the values of flags that have a choice of them.
func completeChoices(cmd *cobra.Command) {
	cmd.Flags().VisitAll(func(flag *pflag.Flag) {
		value, ok := flag.Value.(choiceValue)
		if formats, isFormat := flag.Value.(formatValue); isFormat {
			value, ok = formats.choiceValue, true
		}
		if ok {
			// It fails only for a flag that the command doesn't have.
			_ = cmd.RegisterFlagCompletionFunc(flag.Name, cobra.FixedCompletions(value.choices, cobra.ShellCompDirectiveNoFileComp))
		}
	})
}

// knownCommand is the argument rule of the root: what reaches it is no command.
func (a *app) knownCommand(cmd *cobra.Command, args []string) error {
	if len(args) == 0 {
		return nil
	}
	var names []string
	for _, c := range cmd.Commands() {
		if c.IsAvailableCommand() {
			names = append(names, c.Name())
		}
	}
	return usagef("unknown command %q: want one of %s", args[0], strings.Join(names, ", "))
}

// notef prints one line for people.
func (a *app) notef(format string, args ...any) { _ = writeLine(messages{a.err}, format, args...) }

// writeLine writes one line for people, whatever stands in what it tells.
func writeLine(w io.Writer, format string, args ...any) error {
	_, err := io.WriteString(w, inOneLine(fmt.Sprintf(format, args...))+"\n")
	return err
}
