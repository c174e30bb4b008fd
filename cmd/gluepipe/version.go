package main

import (
	"fmt"
	"runtime/debug"

	"github.com/spf13/cobra"
)

func (a *app) versionCommand() *cobra.Command {
	return &cobra.Command{
		Use:     "version",
		Short:   "Print the version",
		Example: "  gluepipe version",
		Args:    noArguments,
		RunE: func(*cobra.Command, []string) error {
			info, ok := debug.ReadBuildInfo()
			if !ok {
				info = &debug.BuildInfo{}
			}
			_, err := fmt.Fprint(a.out, versionText(info))
			return err
		},
	}
}

// versionText tells what a binary was built from: its version, the compiler, and the revision where it is known.
func versionText(info *debug.BuildInfo) string {
	version := info.Main.Version
	if version == "" {
		version = "(unknown)"
	}
	text := fmt.Sprintf("gluepipe %s\n", version)
	if info.GoVersion != "" {
		text += fmt.Sprintf("built with %s\n", info.GoVersion)
	}
	build := map[string]string{}
	for _, s := range info.Settings {
		build[s.Key] = s.Value
	}
	if revision := build["vcs.revision"]; revision != "" {
		text += fmt.Sprintf("revision %s of %s", revision, build["vcs.time"])
		if build["vcs.modified"] == "true" {
			text += ", modified"
		}
		text += "\n"
	}
	return text
}
