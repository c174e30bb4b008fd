package main

import (
	"regexp"
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

// withFlag returns the arguments of a run with one of the flags that choose how an output is continued, or with none ("").
func withFlag(args []string, flag string) []string {
	var kept []string
	for i, arg := range args {
		if arg == "--" {
			// What follows are no flags.
			return append(appendFlag(kept, flag), args[i:]...)
		}
		if !isFlag(arg, "--overwrite") && !isFlag(arg, "--rerun-failed") {
			kept = append(kept, arg)
		}
	}
	return appendFlag(kept, flag)
}

func appendFlag(args []string, flag string) []string {
	if flag == "" {
		return args
	}
	return append(args, flag)
}

func isFlag(arg, name string) bool { return arg == name || strings.HasPrefix(arg, name+"=") }
