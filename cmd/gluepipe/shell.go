package main

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
)

// commandLine returns a command that a shell reads as exactly these arguments, but for what is secret in URLs.
func commandLine(args []string) string {
	words := []string{"gluepipe"}
	for _, arg := range args {
		words = append(words, shellQuote(withoutSecrets(arg)))
	}
	return strings.Join(words, " ")
}

var urlArgument = regexp.MustCompile(`^(--[a-z-]+=)?([A-Za-z][A-Za-z0-9+.-]*://\S+)$`)

// withoutSecrets hides the user, the password and the query of an argument that is a URL: what we print may end in a log.
func withoutSecrets(arg string) string {
	match := urlArgument.FindStringSubmatch(arg)
	if match == nil {
		return withoutPasswords(arg)
	}
	address, query, found := strings.Cut(match[2], "?")
	if found && query != "" {
		address += "?QUERY"
	}
	return match[1] + withoutPasswords(address)
}

// userinfo is what may stand before the host of a URL.
var userinfo = regexp.MustCompile(`(://)[\w.~:!$&'()*+,;=%@-]+@`)

// passwordOption is a password in a URL's query, or in what libpq takes for an address.
var passwordOption = regexp.MustCompile(`(?i)(password=)('[^']*'|[^\s&'"]+)`)

// withoutPasswords hides the users and passwords of all addresses in a text.
func withoutPasswords(text string) string {
	return passwordOption.ReplaceAllString(userinfo.ReplaceAllString(text, "${1}USER:PASSWORD@"), "${1}PASSWORD")
}

var plainWord = regexp.MustCompile(`^[A-Za-z0-9_@%+=:,./-]+$`)

func shellQuote(arg string) string {
	switch {
	case plainWord.MatchString(arg):
		return arg
	case inOneLine(arg) != arg:
		return "$'" + escapeWord(arg) + "'"
	}
	return "'" + strings.ReplaceAll(arg, "'", `'\''`) + "'"
}

// escapeWord spells bytes out that a terminal would not show, or act on.
func escapeWord(arg string) string {
	var b strings.Builder
	for _, c := range []byte(arg) {
		switch {
		case c == '\'' || c == '\\':
			b.Write([]byte{'\\', c})
		case c == '\n':
			b.WriteString(`\n`)
		case c < ' ' || c > '~':
			fmt.Fprintf(&b, `\%03o`, c)
		default:
			b.WriteByte(c)
		}
	}
	return b.String()
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
