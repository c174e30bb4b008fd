package command_test

import (
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func init() {
	// Leaves a child behind, out of its group, which goes on to write to its output.
	programs["deserted"] = func() {
		self, err := os.Executable()
		must(err)
		cmd := exec.Command(self)
		cmd.Env = []string{asProgram + "=deserter"}
		cmd.Stdout = os.Stdout
		cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
		must(cmd.Start())
		fmt.Println("done")
	}
	programs["deserter"] = func() {
		for range time.Tick(10 * time.Millisecond) {
			if _, err := io.WriteString(os.Stdout, "still here\n"); err != nil { // nobody reads it any more
				return
			}
		}
	}
}

func TestACallEndsSoonAfterItsProgramThoughSomebodyOutsideItsGroupHoldsTheOutput(t *testing.T) {
	answer := call(t, config(t, "deserted"), `{"a": 1}`)
	require.Equal(t, "done", strings.TrimSpace(strings.ReplaceAll(answer, "still here", "")))
}
