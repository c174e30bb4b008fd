package mcp

import (
	"context"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/zap"

	"github.com/gluepipe/gluepipe/stages/tool/command"
)

// pidsIn names, in the environment, a directory where programs leave a file that is named by their process id.
const pidsIn = "GLUEPIPE_TEST_PIDS"

func leavePID() {
	pid := strconv.Itoa(os.Getpid())
	must(os.WriteFile(filepath.Join(os.Getenv(pidsIn), pid), nil, 0o600))
}

func must(err error) {
	if err != nil {
		panic(err)
	}
}

func init() {
	programs["orphan reads"] = func() {
		leavePID()
		io.Copy(os.Stdout, os.Stdin)
	}
	programs["orphan hangs"] = func() {
		leavePID()
		select {}
	}
	// Runs the real server as a child that has the same input and output, as npx does.
	programs["orphan launches"] = func() {
		leavePID()
		self, err := os.Executable()
		must(err)
		cmd := exec.Command(self)
		// Of two values of a variable, a program may see the first: the child would be its parent again, for ever.
		cmd.Env = []string{asProgram + "=orphan reads", pidsIn + "=" + os.Getenv(pidsIn)}
		cmd.Stdin, cmd.Stdout = os.Stdin, os.Stdout
		must(cmd.Run())
	}
	// Holds two servers and a command until it is killed.
	programs["orphan host"] = func() {
		self, err := os.Executable()
		must(err)
		for _, name := range []string{"orphan reads", "orphan launches"} {
			s := Server{Command: []string{self}, Env: []string{asProgram + "=" + name, pidsIn}, MaxMessage: 1 << 20}
			transport, err := newStdioTransport(&s, zap.NewNop())
			must(err)
			_, err = transport.Connect(context.Background())
			must(err)
		}
		tool, err := command.New(command.Config{
			Name: "f", Command: []string{self}, Env: []string{asProgram + "=orphan hangs", pidsIn},
		})
		must(err)
		_, err = tool.Call(context.Background(), []byte("{}"))
		must(err)
	}
}

func TestKillingThisProcessLeavesNoServerAndNoCommandBehind(t *testing.T) {
	self, err := os.Executable()
	require.NoError(t, err)
	dir := t.TempDir()
	host := exec.CommandContext(t.Context(), self)
	host.Env = append(os.Environ(), asProgram+"=orphan host", pidsIn+"="+dir)
	require.NoError(t, host.Start())
	var pids []os.DirEntry
	require.Eventually(t, func() bool {
		pids, err = os.ReadDir(dir)
		return err == nil && len(pids) == 4 // the launcher's child is the fourth
	}, time.Minute, 5*time.Millisecond)
	require.NoError(t, host.Process.Kill())
	_ = host.Wait()
	for _, pid := range pids {
		require.Eventually(t, func() bool { return gone(pid.Name()) }, time.Minute, 5*time.Millisecond, pid.Name())
	}
}

// gone tells whether a process has ended; who has to reap it is not asked.
func gone(pid string) bool {
	stat, err := os.ReadFile(filepath.Join("/proc", pid, "stat"))
	return err != nil || strings.Contains(string(stat), ") Z ")
}
