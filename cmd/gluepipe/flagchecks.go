package main

import (
	"cmp"
	"slices"
)

// checkUse refuses flags that mean nothing for this input and these outputs: who gave one expects something of it. Settings
// of the environment and of files may be meant for other runs.
func (a *app) checkUse(s *settings, in *input) error {
	outputs := []string{s.outputFormatOf(s.output, in.format)}
	if s.errors != "" {
		outputs = append(outputs, s.outputFormatOf(s.errors, in.format))
	}
	isDelimited := func(format string) bool { return format == formatCSV || format == formatTSV }
	isBatch := in.format == formatBatch
	for _, flag := range []struct {
		name   string
		unused bool
		why    string
	}{
		{"embed-batch", s.embed == "" && (in.rows || isBatch), "want --embed too"},
		{"tools", s.embed != "", "--embed calls no tools"},
		{"mcp", s.embed != "", "--embed calls no tools"},
		{"schema", isBatch, "the bodies of an OpenAI batch file are sent as they are, and say themselves what form answers have"},
		{"max-repairs", s.schema == nil, "want --schema too"},
		{"schema-in-prompt", s.schema == nil, "want --schema too"},
		{"override-model", s.overrideModel && !isBatch, "it is for OpenAI batch files, and the input is none"},
		{"override-model", s.overrideModel && !a.has("model"), "want --model too"},
		{"table", !slices.Contains(outputs, formatDatabase), "it is for databases, and the output is none"},
		{
			"delimiter", !isDelimited(in.format) && !slices.ContainsFunc(outputs, isDelimited),
			"it is for CSV, and neither the input nor the output is",
		},
		{"lines", s.lines && in.format != formatLines, "a file is a request, and a row of a query, not a line"},
		{
			"input-format", in.format == "" && s.inputFormat != formatAuto,
			"files of --glob are texts, and databases have a format of their own",
		},
		{
			"output-format", s.outputFormat != formatAuto && isDatabase(s.output),
			"the output is a database, which has a format of its own; files need another name",
		},
	} {
		if flag.unused && a.given[flag.name] {
			return usagef("--%s: %s", flag.name, flag.why)
		}
	}
	return nil
}

// has tells whether a setting was said anywhere, so that it is not the default.
func (a *app) has(flag string) bool { return a.given[flag] || a.origins[flag] != "" }

// checkChoices refuses settings that say two things at once.
func (a *app) checkChoices(s *settings) error {
	for _, both := range []struct {
		one, other string
		given      bool
	}{
		{"overwrite", "rerun-failed", s.overwrite && s.rerunFailed},
		{"embed", "prompt", s.embed != "" && s.prompt != ""},
		{"embed", "system-prompt", s.embed != "" && s.systemPrompt != ""},
		{"embed", "image-column", s.embed != "" && s.imageColumn != ""},
		{"embed", "schema", s.embed != "" && s.schema != nil},
	} {
		if both.given {
			return usagef("%s and %s: want one of the two", a.nameOf(both.one), a.nameOf(both.other))
		}
	}
	return nil
}

// preferInput lets the input of the command line win over those of the environment and of files.
func (a *app) preferInput(s *settings, args []string) {
	switch {
	case len(args) > 0 || a.given["input"]:
		if !a.given["input"] {
			s.input = ""
		}
		if !a.given["glob"] {
			s.glob = ""
		}
	case a.given["glob"]:
		s.input = ""
	}
}

// nameOf tells people where a setting comes from.
func (a *app) nameOf(flag string) string { return cmp.Or(a.origins[flag], "--"+flag) }
