package main

import (
	"io"
	"os"
	"path"
	"path/filepath"
	"strings"
)

// checkPaths refuses to write where the run reads, and to write two things into one file.
func (a *app) checkPaths(input string, s *settings) error {
	outputs := []struct{ flag, path string }{
		{"--output", s.output}, {"--errors", s.errors}, {"--response", s.response},
	}
	for i, out := range outputs {
		// Only results can stand on standard output.
		stdout := io.Writer(nil)
		if i == 0 {
			stdout = a.out
		}
		switch {
		case isDatabase(out.path): // a run may read it, too, but its results go into one table
			for _, other := range outputs[:i] {
				if isDatabase(other.path) && sameDatabase(out.path, other.path) {
					return usagef("%s: %s is written by %s already; choose another database, or a file",
						out.flag, databaseName(out.path), other.flag)
				}
			}
			continue
		case hasScheme(out.path):
			return usagef("%s: %s: %s", out.flag, out.path, unknownScheme)
		case s.glob != "" && matchesGlob(s.glob, out.path):
			return usagef("%s: %s matches --glob %s, so that the next run would read it; choose another file", out.flag, out.path, s.glob)
		}
		if sameFile(fileInfo(out.path, stdout), fileInfo(input, a.in)) {
			return usagef("%s: the output is the input, %s; choose another file", out.flag, s.inputName(input))
		}
		for _, other := range outputs[:i] {
			if out.path != "" && out.path != standard && samePath(out.path, other.path) {
				return usagef("%s: %s is written by %s already; choose another file", out.flag, out.path, other.flag)
			}
		}
	}
	for _, out := range outputs[1:] {
		if out.path == standard {
			return usagef("%s: want a file; standard output has the results", out.flag)
		}
	}
	return nil
}

// sameFile tells whether an output and an input are the same file, reached by its name, a link, or a redirection.
func sameFile(out, in os.FileInfo) bool {
	return out != nil && in != nil && out.Mode().IsRegular() && os.SameFile(out, in)
}

// fileInfo returns what is known of a file, or of the stream that stands in for a path of "-" or "".
func fileInfo(path string, stream any) os.FileInfo {
	var info os.FileInfo
	var err error
	if path != "" && path != standard {
		info, err = os.Stat(path)
	} else if file, ok := stream.(*os.File); ok {
		info, err = file.Stat()
	}
	if err != nil {
		return nil
	}
	return info
}

// samePath tells whether two paths lead to the same place, where there may be no file yet.
func samePath(a, b string) bool {
	if x, y := fileInfo(a, nil), fileInfo(b, nil); x != nil && y != nil {
		return os.SameFile(x, y)
	}
	return resolved(a) == resolved(b)
}

func sameDatabase(a, b string) bool {
	if isPostgres(a) || isPostgres(b) {
		return a == b
	}
	return samePath(sqliteFile(a), sqliteFile(b))
}

func resolved(path string) string {
	dir, err := filepath.EvalSymlinks(filepath.Dir(path))
	if err != nil {
		dir = filepath.Dir(path)
	}
	if absolute, err := filepath.Abs(dir); err == nil {
		dir = absolute
	}
	return filepath.Join(dir, filepath.Base(path))
}

// matchesGlob tells whether a file is, or will be, among those of a pattern, as [source.Glob] reads it.
func matchesGlob(pattern, file string) bool {
	return file != "" && file != standard && matchSegments(segments(pattern), segments(resolved(file)))
}

// segments returns the folders on the way from the root, and the name.
func segments(file string) []string {
	if absolute, err := filepath.Abs(file); err == nil {
		file = absolute
	}
	return strings.Split(filepath.ToSlash(file), "/")
}

func matchSegments(pattern, names []string) bool {
	switch {
	case len(pattern) == 0:
		return len(names) == 0
	case pattern[0] == "**":
		return matchSegments(pattern[1:], names) || len(names) > 0 && matchSegments(pattern, names[1:])
	case len(names) == 0:
		return false
	}
	matches, err := path.Match(pattern[0], names[0])
	return err == nil && matches && matchSegments(pattern[1:], names[1:])
}
