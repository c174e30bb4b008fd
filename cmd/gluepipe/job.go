package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/gluepipe/gluepipe/pipeline"
	"github.com/gluepipe/gluepipe/sink"
	"github.com/gluepipe/gluepipe/stages"
	"github.com/gluepipe/gluepipe/stages/batch"
)

// job is one run of requests, from its first note on standard error to its last.
type job struct {
	*app
	settings    *settings
	input       string
	report      reporter
	warnings    *fieldWarnings
	tools       *toolbox
	interrupted atomic.Bool
	said        chan struct{} // closed once people were told that it is interrupted
}

var errInterruptedTwice = errors.New("interrupted")

func newJob(a *app, s *settings, input string) *job {
	j := &job{app: a, settings: s, input: input, said: make(chan struct{})}
	j.warnings = newFieldWarnings(j.notef)
	return j
}

// notef prints one line for people, above the progress.
func (j *job) notef(format string, args ...any) { _ = writeLine(j.report, format, args...) }

func (j *job) run(ctx context.Context, lookup lookupFunc) error {
	// Until the input and the configuration are known to be good, nothing of an output is touched.
	src, err := j.openInput(ctx, j.settings, j.input, j.warnings.look)
	if err != nil {
		return err
	}
	defer func() { _ = src.Close() }()
	if err := j.checkUse(j.settings, src); err != nil {
		return err
	}
	j.report = newReporter(j.settings.progress, j.err)
	defer j.report.close()
	if j.tools, err = j.openTools(ctx, j.settings, lookup, j.report); err != nil {
		return err
	}
	defer j.tools.close(ctx)
	cfg, err := j.settings.pipelineConfig(lookup, src, j.tools)
	if err != nil {
		return err
	}
	cfg.OnProgress = j.report.observe
	cfg.Logger = newLogger(j.report, j.settings.logLevel, j.settings.logFormat)
	processor, err := j.newProcessor(cfg)
	if err != nil {
		return err
	}
	defer func() { _ = processor.Close() }()
	if err := j.settings.checkResponse(src.format); err != nil {
		return err
	}
	out, err := j.openOutput(ctx, j.settings, src)
	if err != nil {
		return err
	}
	defer out.close(ctx)

	if strings.HasPrefix(cfg.Model, "mock:") && cfg.BaseURL == "" {
		j.notef("%s answers on this machine (%s): no model is called, nothing is billed", cfg.Model, processor.BaseURL())
	}
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	out.interrupted, out.notef = ctx.Done(), j.notef
	for _, note := range j.tools.notes(ctx) {
		j.notef("%s", note)
	}
	looking, stopLooking := context.WithCancel(ctx)
	defer stopLooking()
	defer j.watchSignals(ctx, processor.InFlight,
		func() { stopLooking(); processor.Drain() }, func() { cancel(errInterruptedTwice) },
		func() string { return j.advice(nil, true, out) })()

	if err := j.lookAhead(looking, processor, out); err != nil && !j.interrupted.Load() {
		return j.tools.explain(out.explain(err))
	}
	if err := out.openResponse(j.settings.response); err != nil {
		return err
	}
	j.report.start(processor.InFlight)
	stopCounting := j.countInput(looking, src)
	summary, err := processor.Run(ctx, src, out)
	stopCounting()
	j.report.close()
	return j.conclude(ctx, summary, err, out)
}

// lookAhead tells what of an output that exists is kept, and finds requests that don't match it before the first call.
func (j *job) lookAhead(ctx context.Context, processor *pipeline.BatchProcessor, out *output) error {
	for _, note := range out.notes() {
		j.notef("%s", note)
	}
	if !out.continued() {
		return nil
	}
	if !j.settings.readableTwice(j.input) {
		j.notef("%s; continuing with the rest", out.state())
		return nil
	}
	src, err := j.openInput(ctx, j.settings, j.input, j.warnings.look)
	if err != nil {
		return err
	}
	total, done := 0, 0
	_, err = processor.Check(ctx, src, out, func(item *batch.Item) error {
		total++
		if item.Dropped() == stages.DoneEarlier {
			done++
		}
		return nil
	})
	if err != nil {
		return err
	}
	j.report.setTotal(total)
	if done == total {
		j.notef("%s; all requests are done", out.state())
		return nil
	}
	j.notef("%s; continuing with the rest", out.state())
	return nil
}

// countInput finds out how many requests there are, while the run has begun. What it returns ends the counting.
func (j *job) countInput(ctx context.Context, in *input) (stop func()) {
	if in.size >= 0 {
		j.report.setTotal(j.settings.limited(in.size))
		return func() {}
	}
	if !j.settings.readableTwice(j.input) {
		return func() {}
	}
	ctx, cancel := context.WithCancel(ctx)
	var counting sync.WaitGroup
	counting.Go(func() {
		// Without a total, progress is only less telling: an error here is the run's to report.
		if n, err := j.countRecords(ctx, j.settings, j.input, in.format); err == nil {
			j.report.setTotal(j.settings.limited(n))
		}
	})
	return func() { cancel(); counting.Wait() }
}

// conclude prints the summary and returns what decides the exit code.
func (j *job) conclude(ctx context.Context, summary *batch.Summary, err error, out *output) error {
	broken := err != nil
	if err == errInterruptedTwice {
		err = nil // nobody needs to be told
	}
	err = errors.Join(j.tools.explain(out.explain(err)), out.writeResponse(context.WithoutCancel(ctx), summary))
	if summary.TotalRequests == 0 && err == nil && !j.interrupted.Load() {
		j.notef("%s holds no requests", j.settings.inputName(j.input))
	}
	if j.interrupted.Load() {
		<-j.said
	}
	j.notef("")
	refused := out.countRefused(summary)
	earlier := out.Earlier()
	writeSummary(j.report, summary, &earlier, out.meter)
	for _, note := range refused {
		j.notef("%s", note)
	}
	if text := j.tools.refusals(); text != "" {
		j.notef("%s", text)
	}
	for _, place := range out.places() {
		j.notef("%s", place)
	}
	if _, changed := errors.AsType[*sink.ChangedError](err); !changed { // else the same again ends the same
		cut := broken || j.interrupted.Load() || summary.UnfinishedRequests > 0
		if text := j.advice(summary, cut, out); text != "" {
			j.notef("%s", text)
		}
		if failed := summary.FailedRequests - summary.UnfinishedRequests; cut && failed > 0 && out.kept() && j.failuresCountAsDone() {
			j.notef("add --rerun-failed to do the %s again, too", plural(failed, "failed request"))
		}
	}
	switch {
	case j.interrupted.Load():
		if err != nil {
			j.notef("gluepipe: %s", oneLine(err))
		}
		return statusError(exitInterrupted)
	case err != nil:
		return err
	case summary.FailedRequests > 0:
		return statusError(exitFailures)
	}
	return nil
}

// advice tells how to do what is left, or is "". cut says that the run ended before its input did; summary may be nil then.
func (j *job) advice(summary *batch.Summary, cut bool, out *output) string {
	given := ""
	if j.input == standard {
		given = " (give it the same input)"
	}
	switch {
	case !out.kept() && cut:
		return fmt.Sprintf("nothing to continue: the results went to %s; with -o FILE a run can be continued", out.name())
	case !out.kept():
		return ""
	case cut:
		return fmt.Sprintf("continue%s with:  %s", given, j.commandAgain())
	case summary.FailedRequests > 0 && !j.failuresCountAsDone():
		return fmt.Sprintf("do the failed requests again%s with:  %s", given, j.commandAgain())
	case summary.FailedRequests > 0:
		return fmt.Sprintf("do the failed requests again%s with:  %s", given, j.commandAgain("--rerun-failed"))
	}
	return ""
}

// failuresCountAsDone tells whether the output has failed requests, so that a later run leaves them as they are.
func (j *job) failuresCountAsDone() bool { return j.settings.errorStrategy != "skip" }

// commandAgain returns the command of this run with other flags to say how the output is continued.
func (j *job) commandAgain(flags ...string) string {
	given := slices.ContainsFunc(j.args, func(arg string) bool { return isFlag(arg, "--overwrite") })
	if j.settings.overwrite && !given { // the environment or the file says so
		flags = append(flags, "--overwrite=false")
	}
	args := continuing(j.args, flags)
	for i, arg := range args {
		if strings.HasPrefix(arg, "--mcp=") || i > 0 && args[i-1] == "--mcp" {
			args[i] = j.tools.withoutSecrets(arg)
		}
	}
	return commandLine(args)
}
