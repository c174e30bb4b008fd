package main

import (
	"cmp"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"

	"github.com/sourcegraph/conc/panics"
	"mvdan.cc/sh/v3/shell"
)

// variables fills in the environment variables of definitions, and remembers what nobody else is to see.
type variables struct {
	lookup  lookupFunc
	secrets []string
}

var (
	reference  = regexp.MustCompile(`\$\{(\w+)\}`)
	assignment = regexp.MustCompile(`^(\w+)=`)
	// secretName is what variables and headers are called whose values are secrets.
	secretName = regexp.MustCompile(`(?i)(key|token|secret|pass|auth|cookie|credential)`)
	// secretOption is how a command gives a secret by name: an option, a variable, a header.
	secretOption = regexp.MustCompile(`(?i)^([\w-]*(?:key|token|secret|password|passwd)|authorization)(?:[=:]\s*(.*))?$`)
	// plainName is what variables are called that say where and how programs run.
	plainName = regexp.MustCompile(`^(HOME|USER|LOGNAME|PATH|PWD|SHELL|TERM|LANG|LC_\w+|TZ|TMPDIR|HOSTNAME)$`)
)

// expand fills in ${NAME}. What it fills in counts as a secret, unless the name says that it is none: other values could stand
// in the text itself.
func (v *variables) expand(text string) (string, error) {
	return v.replace(text, func(name string) bool { return !plainName.MatchString(name) })
}

// words fills in ${NAME} in a program's arguments, where names tell which values are secrets: others are paths and the like.
func (v *variables) words(list []string) (filled []string, err error) {
	filled = make([]string, len(list))
	for i, word := range list {
		if filled[i], err = v.replace(word, secretName.MatchString); err != nil {
			return nil, err
		}
	}
	v.keepGiven(filled)
	return filled, nil
}

func (v *variables) replace(text string, isSecret func(name string) bool) (string, error) {
	var missing error
	text = reference.ReplaceAllStringFunc(text, func(found string) string {
		name := reference.FindStringSubmatch(found)[1]
		value, ok := v.lookup(name)
		if !ok {
			missing = cmp.Or(missing, notSet(name))
		}
		if isSecret(name) {
			v.secrets = append(v.secrets, value)
		}
		return value
	})
	return text, missing
}

func notSet(name string) error {
	return fmt.Errorf("the variable %s is set neither in the environment nor in %s", name, dotenvFile)
}

// environment fills in the variables of a program: NAME=value, or NAME alone for one that is handed on if it is there.
func (v *variables) environment(entries []string) ([]string, error) {
	var filled []string
	for _, entry := range entries {
		name, value, given := strings.Cut(entry, "=")
		if given {
			var err error
			if value, err = v.expand(value); err != nil {
				return nil, fmt.Errorf("env: %s: %w", name, err)
			}
		} else if value, given = v.lookup(name); !given {
			continue
		}
		v.keep(name, value)
		filled = append(filled, name+"="+value)
	}
	return filled, nil
}

func (v *variables) header(h http.Header) (http.Header, error) {
	filled := http.Header{}
	for name, values := range h {
		for _, value := range values {
			value, err := v.expand(value)
			if err != nil {
				return nil, fmt.Errorf("headers: %s: %w", name, err)
			}
			v.keep(name, value)
			filled.Add(name, value)
		}
	}
	return filled, nil
}

// keep remembers a value whose name tells that it is a secret. A scheme before it ("Bearer") is none.
func (v *variables) keep(name, value string) {
	if secretName.MatchString(name) {
		v.secrets = append(v.secrets, value, value[strings.LastIndexByte(value, ' ')+1:])
	}
}

// keepPassword remembers the password of a URL.
func (v *variables) keepPassword(address string) {
	if u, err := url.Parse(address); err == nil && u.User != nil {
		password, _ := u.User.Password()
		v.secrets = append(v.secrets, password)
	}
}

// keepGiven remembers the secrets that stand in a command: --token x, --api-key=x, "Authorization: Bearer x".
func (v *variables) keepGiven(words []string) {
	for i, word := range words {
		match := secretOption.FindStringSubmatch(word)
		switch {
		case match == nil:
		case match[2] != "":
			v.keep(match[1], match[2])
		case strings.HasPrefix(word, "-") && i+1 < len(words):
			v.keep(match[1], words[i+1])
		}
	}
}

// split takes a command apart as a shell would, without running one: quotes, backslashes, variables and ~ count.
func (v *variables) split(text string) ([]string, error) {
	var missing error
	var words []string
	err := errors.New("it runs a command within itself")
	// The library panics at <(one).
	_ = panics.Try(func() {
		words, err = shell.Fields(text, func(name string) string {
			value, ok := v.lookup(name)
			if !ok && strings.Contains(text, name) { // the library looks for some of the shell's own besides
				missing = cmp.Or(missing, notSet(name))
			}
			v.keep(name, value)
			return value
		})
	})
	v.keepGiven(words)
	switch {
	case err != nil: // without the text, which may hold secrets
		return nil, fmt.Errorf("it is not one plain command: %w", err)
	case missing != nil:
		return nil, missing
	case len(words) == 0:
		return nil, errors.New("want a command or a URL, got nothing")
	case assignment.MatchString(words[0]):
		return nil, fmt.Errorf("want a command, got the variable %s first: give it as env to a server in the configuration file",
			assignment.FindStringSubmatch(words[0])[1])
	}
	return words, nil
}

// hide returns what hides the secrets in texts for people. One that is too short would hide too much.
func (v *variables) hide() *strings.Replacer {
	var pairs []string
	longestFirst := func(a, b string) int { return cmp.Compare(len(b), len(a)) }
	for _, secret := range slices.SortedFunc(slices.Values(v.secrets), longestFirst) {
		if len(secret) >= minSecret {
			pairs = append(pairs, secret, "[secret]")
		}
	}
	return strings.NewReplacer(pairs...)
}

const minSecret = 6
