package main

import (
	"regexp"
	"slices"
	"strings"
)

// commandLine returns a command that a shell reads as exactly these arguments.
func commandLine(args []string) string {
	words := []string{"gluepipe"}
	for _, arg := range args {
		words = append(words, shellQuote(arg))
	}
	return strings.Join(words, " ")
}

var plainWord = regexp.MustCompile(`^[A-Za-z0-9_@%+=:,./-]+$`)

func shellQuote(arg string) string {
	if plainWord.MatchString(arg) {
		return arg
	}
	return "'" + strings.ReplaceAll(arg, "'", `'\''`) + "'"
}

// continuing returns the arguments of a run with other flags in place of those that say how an output is continued.
func continuing(args, flags []string) []string {
	var kept []string
	for i, arg := range args {
		if arg == "--" {
			// What follows are no flags.
			return slices.Concat(kept, flags, args[i:])
		}
		if !isFlag(arg, "--overwrite") && !isFlag(arg, "--rerun-failed") {
			kept = append(kept, arg)
		}
	}
	return append(kept, flags...)
}

func isFlag(arg, name string) bool { return arg == name || strings.HasPrefix(arg, name+"=") }
