package main

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/gluepipe/gluepipe/stages/llm/llmtest"
)

// smallDisk mounts a file system of 16 MiB, of which 2 are free, and moves the test into a directory with it. What it returns
// makes room.
func smallDisk(t *testing.T, files map[string]string) (enlarge func()) {
	t.Helper()
	dir := inTempDir(t, files)
	disk := filepath.Join(dir, "disk")
	require.NoError(t, os.Mkdir(disk, 0o755))
	if err := syscall.Mount("tmpfs", disk, "tmpfs", 0, "size=16m"); err != nil {
		t.Skipf("a small file system can't be mounted here, which takes root: %v", err)
	}
	t.Cleanup(func() { require.NoError(t, syscall.Unmount(disk, 0)) })
	require.NoError(t, os.WriteFile(filepath.Join(disk, "ballast"), make([]byte, 14<<20), 0o600))
	return func() { require.NoError(t, syscall.Mount("tmpfs", disk, "tmpfs", syscall.MS_REMOUNT, "size=128m")) }
}

const largeCount = 200

// largeRequests returns requests whose echoes take 3 MiB.
func largeRequests() string {
	var b strings.Builder
	for i := range largeCount {
		fmt.Fprintf(&b, "{\"id\": \"r%d\", \"user_message\": \"%d %s\"}\n", i+1, i+1, strings.Repeat("x", 16<<10))
	}
	return b.String()
}

// askedServer is a server that notes which requests were asked, and fails those that say so.
type askedServer struct {
	mu    sync.Mutex
	asked map[string]bool
	fail  func(n string) bool
}

func (a *askedServer) respond(r *llmtest.Request) *llmtest.Answer {
	n, _, _ := strings.Cut(r.Prompt(), " ")
	a.mu.Lock()
	defer a.mu.Unlock()
	a.asked["r"+n] = true
	if a.fail != nil && a.fail(n) {
		return llmtest.Error(http.StatusBadRequest, "bad", strings.Repeat("x", 4<<10))
	}
	return nil
}

// forget begins anew. Calls that a run has cancelled may still arrive.
func (a *askedServer) forget() {
	a.mu.Lock()
	defer a.mu.Unlock()
	clear(a.asked)
}

func TestAFullDiskLosesNothingThatWasWrittenAndTheSameCommandGoesOn(t *testing.T) {
	oddFail := func(n string) bool { return strings.HasSuffix(n, "1") || strings.HasSuffix(n, "3") }
	for name, test := range map[string]struct {
		flags []string
		files []string
		fail  func(string) bool
		code  int
	}{
		"flushed each second":   {files: []string{"disk/out.jsonl"}},
		"flushed each batch":    {flags: []string{"--fsync", "always"}, files: []string{"disk/out.jsonl"}},
		"flushed by the system": {flags: []string{"--fsync", "never"}, files: []string{"disk/out.jsonl"}},
		"a response on it too":  {flags: []string{"--response", "disk/response.json"}, files: []string{"disk/out.jsonl"}},
		"failures in their file": {
			flags: []string{"--errors", "disk/bad.jsonl"}, files: []string{"disk/out.jsonl", "disk/bad.jsonl"},
			fail: oddFail, code: exitFailures,
		},
		"failures on another disk": {
			flags: []string{"--errors", "bad.jsonl"}, files: []string{"disk/out.jsonl", "bad.jsonl"},
			fail: oddFail, code: exitFailures,
		},
	} {
		t.Run(name, func(t *testing.T) {
			asked := &askedServer{asked: map[string]bool{}, fail: test.fail}
			server := llmtest.New(t, llmtest.Config{Respond: asked.respond})
			enlarge := smallDisk(t, map[string]string{"in.jsonl": largeRequests()})
			args := append(at(server, "run", "in.jsonl", "-o", "disk/out.jsonl", "-c", "16"), test.flags...)
			got := gluepipe(t, "", nil, args...)
			require.Equal(t, exitBroken, got.code, got.stderr)
			require.Regexp(t, `\ngluepipe: .*disk/(out|bad)\.jsonl: no space left on device`, got.stderr)
			require.Contains(t, got.stderr, "\ncontinue with:  gluepipe run in.jsonl -o disk/out.jsonl ")
			written := map[string]bool{}
			good, bad := 0, 0
			for _, path := range test.files {
				for _, r := range results(t, read(t, path)) {
					written[r.ID] = true
					if r.Success {
						good++
					} else {
						bad++
					}
				}
			}
			require.Greater(t, good, 80, "most of the room has results")
			require.Regexp(t, fmt.Sprintf(`\nsuccessful +%d\nfailed +%d\n`, good, bad), got.stderr,
				"the summary counts what the files have")

			asked.forget()
			enlarge()
			got = gluepipe(t, "", nil, args...)
			require.Equal(t, test.code, got.code, got.stderr)
			require.Len(t, asked.asked, largeCount-len(written))
			for id := range asked.asked {
				require.False(t, written[id], "%s was paid for twice", id)
			}
			requireEachOnce(t, largeCount, test.files...)
		})
	}
}

func TestAResponseThatFillsTheDiskIsWrittenByTheSameCommandWithoutACall(t *testing.T) {
	server := llmtest.New(t, llmtest.Config{})
	enlarge := smallDisk(t, map[string]string{"in.jsonl": largeRequests()})
	args := at(server, "run", "in.jsonl", "-o", "out.jsonl", "--response", "disk/response.json", "-c", "16")
	got := gluepipe(t, "", nil, args...)
	require.Equal(t, exitBroken, got.code, got.stderr)
	require.Regexp(t, `\ngluepipe: writing response disk/response\.json: write .*: no space left on device\n$`, got.stderr)
	requireEachOnce(t, largeCount, "out.jsonl")
	left, err := os.ReadDir("disk")
	require.NoError(t, err)
	require.Len(t, left, 1, "the ballast: half a response is no use")

	enlarge()
	require.Equal(t, exitOK, gluepipe(t, "", nil, args...).code)
	require.Equal(t, largeCount, server.Stats().Requests)
	require.Contains(t, read(t, "disk/response.json"), `"successful_requests":200,`)
}

func TestAResponseWithoutRoomForItsCopyKeepsTheResults(t *testing.T) {
	smallDisk(t, map[string]string{"in.jsonl": largeRequests()})
	got := gluepipe(t, "", nil, "run", "in.jsonl", "--response", "disk/response.json", "--model", "mock:echo", "-c", "16")
	require.Equal(t, exitBroken, got.code, got.stderr)
	require.Contains(t, got.stderr, "no space left on device")
	_, kept, found := strings.Cut(strings.TrimSpace(got.stderr), "; the results are kept in ")
	require.True(t, found, got.stderr)
	whole, err := os.ReadFile(kept)
	require.NoError(t, err)
	require.NotEmpty(t, results(t, string(whole[:bytes.LastIndexByte(whole, '\n')+1])))
}

func TestWhatARedirectionLeavesOnAFullDiskCanBeContinuedAsAnOutput(t *testing.T) {
	enlarge := smallDisk(t, map[string]string{"in.jsonl": largeRequests()})
	redirected, err := os.Create("disk/out.jsonl")
	require.NoError(t, err)
	args := []string{"run", "in.jsonl", "--model", "mock:echo", "--progress", "none", "-c", "16"}
	code, stderr := outcomeOf(t, program(t, args...), redirected)
	require.NoError(t, redirected.Close())
	require.Equal(t, exitBroken, code, stderr)
	require.True(t, strings.HasSuffix(stderr, "\ngluepipe: writing results: write /dev/stdout: no space left on device\n"), stderr)
	enlarge()
	got := gluepipe(t, "", nil, append(args, "-o", "disk/out.jsonl")...)
	require.Equal(t, exitOK, got.code, got.stderr)
	require.Contains(t, got.stderr, "disk/out.jsonl has ")
	requireEachOnce(t, largeCount, "disk/out.jsonl")
}

func TestAnOutputWithoutPermissionIsRefusedBeforeTheFirstCall(t *testing.T) {
	if os.Getuid() != 0 {
		t.Skip("only root can become the user who lacks permission")
	}
	// The program and its files must be within the reach of nobody.
	dir, err := os.MkdirTemp("", "gluepipe-permissions-") //nolint:usetesting // t.TempDir is for its owner alone
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, os.RemoveAll(dir)) })
	require.NoError(t, os.Chmod(dir, 0o755))
	t.Chdir(dir)
	require.NoError(t, os.WriteFile("in.jsonl", []byte(requests(3)), 0o644))
	require.NoError(t, os.WriteFile("mine.jsonl", nil, 0o644))
	copyProgram(t, "program")

	for path, want := range map[string]string{
		"mine.jsonl":    "gluepipe: open mine.jsonl: permission denied\n",
		"new.jsonl":     "gluepipe: open new.jsonl: permission denied\n",
		"none/of.jsonl": "gluepipe: open none/of.jsonl: no such file or directory\n",
	} {
		cmd := program(t, "run", "in.jsonl", "-o", path, "--model", "mock:echo", "--progress", "none")
		cmd.Path = filepath.Join(dir, "program")
		cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: 65534, Gid: 65534}}
		code, stderr := outcomeOf(t, cmd, nil)
		require.Equal(t, exitBroken, code, stderr)
		require.Equal(t, want, stderr)
	}
}

func copyProgram(t *testing.T, to string) {
	t.Helper()
	self, err := os.Executable()
	require.NoError(t, err)
	from, err := os.Open(self)
	require.NoError(t, err)
	defer from.Close()
	file, err := os.OpenFile(to, os.O_CREATE|os.O_WRONLY, 0o755)
	require.NoError(t, err)
	_, err = io.Copy(file, from)
	require.NoError(t, err)
	require.NoError(t, file.Close())
}
