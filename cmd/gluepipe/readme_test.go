package main

import (
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestWhatTheReadmeSaysHappensIsTested(t *testing.T) {
	readme, err := os.ReadFile("../../README.md")
	require.NoError(t, err)
	tests := map[string]bool{}
	declared := regexp.MustCompile(`(?m)^func (Test\w+)\(`)
	require.NoError(t, filepath.WalkDir("../..", func(path string, _ fs.DirEntry, err error) error {
		if err != nil || !strings.HasSuffix(path, "_test.go") {
			return err
		}
		code, err := os.ReadFile(path)
		for _, match := range declared.FindAllSubmatch(code, -1) {
			tests[string(match[1])] = true
		}
		return err
	}))
	_, table, found := strings.Cut(string(readme), "\n## What happens when ...\n")
	require.True(t, found)
	table, _, _ = strings.Cut(table, "\n## ")
	named := regexp.MustCompile("`(Test\\w+)`")
	rows := 0
	for line := range strings.Lines(table) {
		line = strings.TrimSpace(line)
		if !strings.HasPrefix(line, "| ") || strings.HasPrefix(line, "| **") || strings.HasPrefix(line, "| | ") {
			continue
		}
		matches := named.FindAllStringSubmatch(line, -1)
		require.NotEmpty(t, matches, "this row names no test: %s", line)
		for _, match := range matches {
			require.True(t, tests[match[1]], "there is no %s", match[1])
		}
		rows++
	}
	require.Greater(t, rows, 20)
}
