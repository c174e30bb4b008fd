package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"syscall"

	"github.com/spf13/cobra"

	"github.com/gluepipe/gluepipe/pipeline"
	"github.com/gluepipe/gluepipe/sink"
	"github.com/gluepipe/gluepipe/stages"
	"github.com/gluepipe/gluepipe/stages/batch"
	"github.com/gluepipe/gluepipe/stages/llm"
)

func (a *app) checkCommand() *cobra.Command {
	s := defaultSettings()
	cmd := &cobra.Command{
		Use:   "check INPUT",
		Short: "Validate requests, and call nothing",
		Long: `check reads INPUT ("-" is standard input) as run would, prints each line that is wrong, counts the requests
and estimates their tokens. It calls no model and needs no key; MCP servers are started, to know their tools. The exit
code is 3 if a line is wrong.`,
		Example: `  gluepipe check requests.jsonl

  # What is left to do of a run?
  gluepipe check requests.jsonl -o results.jsonl`,
		Args: atMostOneInput,
		RunE: func(cmd *cobra.Command, args []string) error {
			lookup, err := a.loadSettings(cmd.Flags(), "", s.config)
			if err != nil {
				return err
			}
			a.preferInput(s, args)
			input, err := s.inputOf(cmd.Name(), args)
			if err == nil {
				err = a.checkChoices(s)
			}
			if err != nil {
				return err
			}
			return a.check(cmd.Context(), s, lookup, input)
		},
	}
	s.checkFlags(cmd.Flags())
	cmd.SetUsageFunc(sectionedUsage)
	return cmd
}

// check prints what is wrong with the input, and what there is in it.
func (a *app) check(ctx context.Context, s *settings, lookup lookupFunc, input string) error {
	out := bufio.NewWriter(a.out)
	var good, bad, done int
	var tokens int64
	src, err := a.openInput(ctx, s, input, func(*batch.Item) {})
	if err != nil {
		return err
	}
	defer func() { _ = src.Close() }()
	index, err := s.doneIn(src.format)
	if err != nil {
		return err
	}
	err = a.inspect(ctx, s, lookup, src, func(item *batch.Item) error {
		isDone, err := index.Done(item.ID(), item.Fingerprint)
		switch {
		case err != nil:
			bad++
			return writeLine(out, "%s: request %q has changed since its record in %s was written: a run would refuse it",
				item.Origin, item.ID(), s.output)
		case isDone:
			done++
		case item.Result != nil:
			bad++
			return writeLine(out, "%s", item.Result.Error)
		default:
			good++
			tokens += int64(llm.EstimateTokens(callOf(item)))
		}
		return nil
	})
	if err == nil {
		earlier := ""
		if done > 0 {
			earlier = fmt.Sprintf(", %s done in %s", commas(done), s.output)
		}
		err = writeLine(out, "%s: %s good, %s bad%s; about %s tokens",
			plural(good+bad+done, "request"), commas(good), commas(bad), earlier, compact(tokens))
	}
	return finish(out, err, bad)
}

// dryRun prints the body of each request as it would be sent, one line of JSON each.
func (a *app) dryRun(ctx context.Context, s *settings, lookup lookupFunc, input string) error {
	out := bufio.NewWriter(a.out)
	lines := a.records(out)
	bad := 0
	var body []byte
	src, err := a.openInput(ctx, s, input, func(*batch.Item) {})
	if err != nil {
		return err
	}
	defer func() { _ = src.Close() }()
	err = a.inspect(ctx, s, lookup, src, func(item *batch.Item) error {
		err := error(nil)
		if item.Result == nil {
			body, err = llm.AppendBody(body[:0], callOf(item))
		}
		if item.Result != nil || err != nil {
			bad++
			if err == nil {
				a.notef("%s", item.Result.Error)
			} else {
				a.notef("%s: %v", item.Origin, err)
			}
			return nil
		}
		body = append(body, '\n')
		_, err = lines.Write(body)
		return err
	})
	return finish(out, err, bad)
}

// inspect validates the input as a run would and hands out each item, without a call or a key.
func (a *app) inspect(
	ctx context.Context, s *settings, lookup lookupFunc, src *input, each func(*batch.Item) error,
) error {
	if err := a.checkUse(s, src); err != nil {
		return err
	}
	tools, err := a.openTools(ctx, s, lookup, messages{a.err})
	if err != nil {
		return err
	}
	defer tools.close(ctx)
	cfg := s.requestConfig(src, tools)
	offline(cfg)
	processor, err := a.newProcessor(cfg)
	if err != nil {
		return err
	}
	defer func() { _ = processor.Close() }()
	warnings := newFieldWarnings(a.notef)
	_, err = processor.Check(ctx, src, fingerprinted{}, func(item *batch.Item) error {
		warnings.look(item)
		return each(item)
	})
	return err
}

// finish writes what is left and returns what decides the exit code.
func finish(out *bufio.Writer, err error, bad int) error {
	if flushErr := out.Flush(); err == nil {
		err = flushErr
	}
	switch {
	case errors.Is(err, syscall.EPIPE): // whoever reads it, such as head, has seen enough
		return statusError(exitBroken)
	case err == nil && bad > 0:
		return statusError(exitFailures)
	}
	return err
}

// doneIn returns what the output has: nothing where there is none.
func (s *settings) doneIn(inputFormat string) (stages.Index, error) {
	if s.output == "" {
		return fingerprinted{}, nil
	}
	var records stages.Index
	var err error
	switch format := s.outputFormatOf(s.output, inputFormat); format {
	case formatJSONL:
		records, err = sink.ReadRecords(s.output)
	case formatBatch:
		records, err = sink.ReadBatchRecords(s.output)
	case formatCSV, formatTSV:
		records, err = sink.ReadCSVRecords(s.output, s.comma(format))
	default:
		return nil, usagef("--output: check can look into JSON Lines, OpenAI batch files and CSV, not into %s", s.output)
	}
	if errors.Is(err, fs.ErrNotExist) {
		return fingerprinted{}, nil
	}
	return records, err
}

// fingerprinted is a sink that has no request, and makes the processor tell their fingerprints.
type fingerprinted struct{ batch.Sink }

func (fingerprinted) Done(string, string) (bool, error) { return false, nil }

// offline gives a configuration what only a run needs: a key, and a place to call.
func offline(cfg *pipeline.Config) {
	cfg.APIKey = "none"
	if provider, _ := llm.SplitModel(cfg.Model); provider != "" {
		cfg.BaseURL = "http://127.0.0.1"
	}
}

// callOf returns the first model call of a request.
func callOf(item *batch.Item) *llm.Call {
	r := item.Effective
	return &llm.Call{
		Model: r.Model, Messages: r.Messages, Input: r.Input, Tools: r.Tools, ResponseFormat: r.ResponseFormat, Params: r.Params,
	}
}
