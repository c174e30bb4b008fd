package source

import (
	"errors"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
)

const anyFolders = "**"

// globMatch is a path that matches, or a folder on the way that can't be listed.
type globMatch struct {
	path string
	err  error
}

// expandGlob returns what matches a pattern, sorted.
func expandGlob(pattern string) ([]globMatch, error) {
	pattern = filepath.ToSlash(pattern)
	folder, segments := "", strings.Split(pattern, "/")
	if strings.HasPrefix(pattern, "/") {
		folder = "/"
	}
	segments = slices.DeleteFunc(segments, func(s string) bool { return s == "" })
	for _, segment := range segments {
		if _, err := path.Match(segment, ""); err != nil {
			return nil, errors.New("a bracket or a backslash that isn't complete")
		}
	}
	walk := globWalk{deep: slices.Contains(segments, anyFolders)}
	walk.expand(folder, slices.CompactFunc(segments, func(a, b string) bool { return a == anyFolders && b == anyFolders }))
	slices.SortFunc(walk.found, func(a, b globMatch) int { return strings.Compare(a.path, b.path) })
	// Where ** stands more than once, there may be several ways to a file.
	found := slices.CompactFunc(walk.found, func(a, b globMatch) bool { return a.path == b.path })
	if len(found) == 0 {
		return nil, errors.New("no file matches")
	}
	return found, nil
}

type globWalk struct {
	deep  bool // the pattern has **, and goes into folders rather than taking them
	found []globMatch
}

// expand finds what matches segments in a folder.
func (w *globWalk) expand(folder string, segments []string) {
	if len(segments) == 0 {
		return
	}
	segment, rest := segments[0], segments[1:]
	if segment == anyFolders {
		if len(rest) == 0 {
			rest = []string{"*"}
		}
		w.expand(folder, rest)
		for _, entry := range w.list(folder) {
			if entry.IsDir() && visible(entry.Name(), segment) { // which a symbolic link is not: it may lead back here
				w.expand(folder+entry.Name()+"/", segments)
			}
		}
		return
	}
	if !strings.ContainsAny(segment, `*?[\`) {
		w.take(folder+segment, rest)
		return
	}
	for _, entry := range w.list(folder) {
		if ok, _ := path.Match(segment, entry.Name()); ok && visible(entry.Name(), segment) {
			w.take(folder+entry.Name(), rest)
		}
	}
}

// take goes on in a path, or has found it.
func (w *globWalk) take(name string, rest []string) {
	info, err := os.Stat(name)
	isDir := err == nil && info.IsDir()
	switch {
	case len(rest) > 0 && isDir:
		w.expand(name+"/", rest)
	case len(rest) > 0, errors.Is(err, fs.ErrNotExist) && !isLink(name), isDir && w.deep:
	default:
		w.found = append(w.found, globMatch{path: filepath.FromSlash(name)})
	}
}

// list returns what is in a folder. A folder that can't be listed is kept as a match, for what may be in it.
func (w *globWalk) list(folder string) []fs.DirEntry {
	if folder == "" {
		folder = "."
	}
	entries, err := os.ReadDir(folder)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		w.found = append(w.found, globMatch{path: filepath.Clean(folder), err: withoutPath(err)})
	}
	return entries
}

// visible says whether a name may match, as far as it begins with a dot.
func visible(name, segment string) bool {
	return !strings.HasPrefix(name, ".") || strings.HasPrefix(segment, ".")
}

// isLink says whether a symbolic link is there, which may lead nowhere.
func isLink(name string) bool {
	info, err := os.Lstat(name)
	return err == nil && info.Mode()&fs.ModeSymlink != 0
}
