package source

import (
	"errors"
	"fmt"
	"regexp"
	"slices"
	"text/template"
	"unicode/utf8"
)

// The errors of text/template come as texts. They are put in the words of those who write prompts.
var (
	parseErrorText   = regexp.MustCompile(`(?s)^template: prompt:(\d+)(?::\d+)?: (.*)$`)
	startedText      = regexp.MustCompile(` started at prompt:(\d+)`)
	noFunctionText   = regexp.MustCompile(`^function "(.*)" not defined$`)
	executeErrorText = regexp.MustCompile(`(?s)^template: prompt:(\d+):\d+: executing "prompt" at <(.*?)>: (.*)$`)
	callText         = regexp.MustCompile(`^error calling (\w+): `)
	noFieldText      = regexp.MustCompile(`^(?:map has no entry for key |nil data; no entry for key |` +
		`nil pointer evaluating interface \{\}\.|can't evaluate field )"?(.*?)"?(?: in type .*)?$`)
)

func (p *prompt) error(format string, args ...any) error {
	return fmt.Errorf(inWords(p.option)+": "+format, args...)
}

func (p *prompt) parseError(err error) error {
	found := parseErrorText.FindStringSubmatch(err.Error())
	if found == nil {
		return p.error("%w", err)
	}
	line, what := found[1], startedText.ReplaceAllString(found[2], " started in line $1")
	if what == "unexpected EOF" {
		what = "the template ends before the {{end}} of an if, range or with"
	}
	if name := noFunctionText.FindStringSubmatch(what); name != nil {
		what = fmt.Sprintf("there is no function %q; a column is {{.%s}}, or {{index . \"its name\"}}", name[1], name[1])
	}
	return p.error("line %s: %s", line, shortened(what))
}

func (p *prompt) executeError(err error) error {
	if _, ok := errors.AsType[template.ExecError](err); !ok {
		return p.error("%w", err) // the writer's
	}
	found := executeErrorText.FindStringSubmatch(err.Error())
	if found == nil {
		return p.error("%s", shortened(err.Error()))
	}
	line, where, what := found[1], found[2], found[3]
	if field := noFieldText.FindStringSubmatch(what); field != nil {
		if slices.Contains(p.uses.columns, field[1]) && !hasColumn(p.row.Columns, field[1]) {
			return noColumn(p.option, field[1], p.row.Columns)
		}
		what = fmt.Sprintf("there is no %q", field[1])
	}
	what = callText.ReplaceAllString(what, "$1: ")
	return p.error("line %s, {{%s}}: %s", line, where, shortened(what))
}

// shortened shortens what an error quotes: it may hold a value of any length.
func shortened(text string) string {
	const limit = 200
	if len(text) <= limit {
		return text
	}
	text = text[:limit]
	for !utf8.ValidString(text) && len(text) > limit-utf8.UTFMax {
		text = text[:len(text)-1]
	}
	return text + "..."
}
