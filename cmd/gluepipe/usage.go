package main

import (
	"fmt"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// sectionKey is the annotation of a flag that says under which title help shows it.
const sectionKey = "section"

// section puts the flags that add adds under a title.
func section(flags *pflag.FlagSet, title string, add func()) {
	add()
	flags.VisitAll(func(flag *pflag.Flag) {
		if flag.Annotations[sectionKey] == nil {
			flag.Annotations = map[string][]string{sectionKey: {title}}
		}
	})
}

// sectionedUsage is the usage of a command whose flags are many: it shows them by their sections.
func sectionedUsage(cmd *cobra.Command) error {
	out := cmd.OutOrStderr()
	if _, err := fmt.Fprintf(out, "Usage:\n  %s\n\nExamples:\n%s\n", cmd.UseLine(), cmd.Example); err != nil {
		return err
	}
	for _, s := range sections(cmd.Flags()) {
		if _, err := fmt.Fprintf(out, "\n%s:\n%s", s.title, s.flags.FlagUsages()); err != nil {
			return err
		}
	}
	return nil
}

type flagSection struct {
	title string
	flags *pflag.FlagSet
}

// sections returns the flags by their titles, in the order in which they were added.
func sections(flags *pflag.FlagSet) (all []flagSection) {
	flags.VisitAll(func(flag *pflag.Flag) {
		title := "Help"
		if given := flag.Annotations[sectionKey]; given != nil {
			title = given[0]
		}
		at := -1
		for i := range all {
			if all[i].title == title {
				at = i
			}
		}
		if at < 0 {
			s := flagSection{title, pflag.NewFlagSet(title, pflag.ContinueOnError)}
			s.flags.SortFlags = false
			at, all = len(all), append(all, s)
		}
		all[at].flags.AddFlag(flag)
	})
	return all
}
