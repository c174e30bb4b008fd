package main

import (
	"bufio"
	"os"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestAnAddressWithoutAHostIsThisMachineAlone(t *testing.T) {
	for addr, want := range map[string]string{
		":8080": "127.0.0.1:8080", "8080": "127.0.0.1:8080", "localhost:1": "localhost:1", "[::1]:1": "[::1]:1", "0.0.0.0:1": "0.0.0.0:1",
	} {
		got, err := addressOf(addr)
		require.NoError(t, err)
		require.Equal(t, want, got)
	}
	got := gluepipe(t, "", nil, "mock", "--addr", "::1")
	require.Equal(t, outcome{exitUsage, "", "gluepipe: --addr: want HOST:PORT, got \"::1\"; see 'gluepipe mock --help'\n"}, got)
}

func TestMockWarnsWhereOthersCanReachIt(t *testing.T) {
	for addr, warns := range map[string]bool{":0": false, "localhost:0": false, "0.0.0.0:0": true} {
		inTempDir(t, nil)
		cmd := program(t, "mock", "--addr", addr)
		stderr, err := cmd.StderrPipe()
		require.NoError(t, err)
		require.NoError(t, cmd.Start())
		said := untilLine(t, bufio.NewReader(stderr), "press Ctrl-C to stop")
		require.NoError(t, cmd.Process.Signal(os.Interrupt))
		require.Equal(t, exitOK, ended(t, cmd))
		const warning = "\nwarning: 0.0.0.0 is not an address of this machine alone: whoever reaches it can use the server\n"
		if warns {
			require.Contains(t, said, warning)
		} else {
			require.NotContains(t, said, "warning")
		}
	}
}

func TestMockTellsWhichOfItsLimitsDontGoTogether(t *testing.T) {
	inTempDir(t, nil)
	for want, args := range map[string][]string{
		"--burst needs --rpm":                          {"--burst", "5"},
		"--window needs --rpm":                         {"--window", "10s"},
		"--burst and --window: want one of the two":    {"--rpm", "60", "--burst", "5", "--window", "10s"},
		"the rates of faults are more than 1 together": {"--hang-rate", "0.6", "--body-reset-rate", "0.6"},
	} {
		got := gluepipe(t, "", nil, append([]string{"mock"}, args...)...)
		require.Equal(t, outcome{exitUsage, "", "gluepipe: " + want + "; see 'gluepipe mock --help'\n"}, got)
	}
}
