package main

import (
	"regexp"
	"slices"
	"strings"
)

// commandLine returns a command that a shell reads as exactly these arguments, passwords in URLs excepted.
func commandLine(args []string) string {
	words := []string{"gluepipe"}
	for _, arg := range args {
		words = append(words, shellQuote(withoutPassword(arg)))
	}
	return strings.Join(words, " ")
}

var password = regexp.MustCompile(`(://[^/:\s]*:)[^/\s]*@`)

// withoutPassword hides the password of a URL: what we print may end in a log.
func withoutPassword(arg string) string { return password.ReplaceAllString(arg, "${1}PASSWORD@") }

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
