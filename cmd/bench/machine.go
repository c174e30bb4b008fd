package main

import (
	"bufio"
	"cmp"
	"fmt"
	"io"
	"os"
	"runtime"
	"strings"
)

// machine is what figures depend on.
type machine struct {
	CPU        string `json:"cpu"`
	Cores      int    `json:"cores"`
	OS         string `json:"os"`
	Go         string `json:"go"`
	Experiment string `json:"goexperiment"` // what the program was built with
	Server     string `json:"server"`       // where it is
}

// thisMachine describes the machine, and where the server at url is; "" is this program's own.
func thisMachine(url string) machine {
	m := machine{
		CPU: processorName(), Cores: runtime.NumCPU(), OS: runtime.GOOS + "/" + runtime.GOARCH,
		Server: "client and server share the cores",
	}
	if url != "" {
		m.Server = "the server is " + url
	}
	m.Go, m.Experiment = goVersion(runtime.Version())
	return m
}

// goVersion parts "go1.26.0-X:jsonv2", which some releases write with a space.
func goVersion(text string) (version, experiment string) {
	version, experiment, _ = strings.Cut(text, "X:")
	return strings.TrimRight(version, " -"), cmp.Or(experiment, "none")
}

func (m machine) String() string {
	return fmt.Sprintf("%s, %s, %d cores, %s, GOEXPERIMENT=%s; %s", m.OS, m.CPU, m.Cores, m.Go, m.Experiment, m.Server)
}

// processorName is what Linux calls the processor; elsewhere it is unknown.
func processorName() string {
	f, err := os.Open("/proc/cpuinfo")
	if err != nil {
		return "unknown processor"
	}
	defer func() { _ = f.Close() }()
	return modelName(f)
}

func modelName(cpuinfo io.Reader) string {
	for lines := bufio.NewScanner(cpuinfo); lines.Scan(); {
		if name, value, _ := strings.Cut(lines.Text(), ":"); strings.TrimSpace(name) == "model name" {
			return strings.TrimSpace(value)
		}
	}
	return "unknown processor"
}
