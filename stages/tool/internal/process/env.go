package process

import (
	"fmt"
	"os"
	"runtime"
	"slices"
	"strings"
)

// Env returns the environment of a program: a small base that programs need to run (PATH, HOME, the language and the like),
// and what entries say. "NAME" is taken over from this process's environment, if it is there; "NAME=value" is set. Nothing
// else is handed on, and so no API key that happens to be in the environment.
func Env(entries []string) ([]string, error) {
	var env []string
	for _, entry := range os.Environ() {
		if name, _, _ := strings.Cut(entry, "="); inBase(name) {
			env = append(env, entry)
		}
	}
	for _, entry := range entries {
		name, _, set := strings.Cut(entry, "=")
		switch {
		case name == "" || strings.ContainsAny(name, " \t\r\n"):
			return nil, fmt.Errorf(`env: want "NAME" or "NAME=value", got one with the name %q`, name)
		case strings.ContainsRune(entry, 0):
			return nil, fmt.Errorf("env: the value of %q has a NUL byte", name)
		case set:
			env = append(env, entry)
		default:
			if value, ok := os.LookupEnv(name); ok {
				env = append(env, name+"="+value)
			}
		}
	}
	return env, nil
}

// Value returns the value that an entry of Env gives, or "".
func Value(entry string) string {
	name, value, set := strings.Cut(entry, "=")
	if set {
		return value
	}
	return os.Getenv(name)
}

var (
	base = []string{"PATH", "HOME", "USER", "LOGNAME", "SHELL", "TERM", "LANG", "TMPDIR", "TZ"}
	// baseWindows is what programs on Windows don't start without, and where they keep their files.
	baseWindows = []string{
		"APPDATA", "COMSPEC", "HOMEDRIVE", "HOMEPATH", "LOCALAPPDATA", "NUMBER_OF_PROCESSORS", "OS", "PATHEXT", "PROCESSOR_ARCHITECTURE",
		"PROGRAMDATA", "PROGRAMFILES", "PROGRAMFILES(X86)", "SYSTEMDRIVE", "SYSTEMROOT", "TEMP", "TMP", "USERNAME", "USERPROFILE", "WINDIR",
	}
)

func inBase(name string) bool {
	if runtime.GOOS == "windows" { // where names have no case
		name = strings.ToUpper(name)
		if slices.Contains(baseWindows, name) {
			return true
		}
	}
	return slices.Contains(base, name) || strings.HasPrefix(name, "LC_")
}
