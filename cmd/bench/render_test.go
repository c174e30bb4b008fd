package main

import (
	"bytes"
	"encoding/json"
	"encoding/xml"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func testReport() *report {
	return &report{
		Machine: machine{CPU: "A <fast> one", Cores: 2, OS: "linux/amd64", Go: "go1.26", Experiment: "jsonv2", Server: "shared"},
		Tables: []table{{InFlight: 64, Requests: 1000, Rounds: 3, Rows: []row{
			{
				Contender: bare, About: "bare go-openai loop", Requests: 17200, Calls: 17200, CPU: 81.25, CPUWithServer: 116,
				Allocs: 110, Bytes: 11000, P50: 3600, P99: 9000, PeakMiB: 21.5, Ratio: 1,
			},
			{Contender: "cli", About: "gluepipe run", Requests: 20640, Calls: 20640, CPU: 70, PeakMiB: 30, Ratio: 1.2},
		}}},
	}
}

func TestTheTableAlignsItsFiguresAndLeavesOutTheUnknown(t *testing.T) {
	var out bytes.Buffer
	require.NoError(t, testReport().Tables[0].print(&out))
	require.Equal(t, `
64 in flight, latency 0s, 1000 requests, median of 3 rounds in turn

             requests/s  calls/s  us CPU/call  with server  allocs/call  bytes/call  p50 us  p99 us  peak MiB  ratio
  go-openai       17200    17200         81.2        116.0        110.0       11000    3600    9000      21.5   1.00
        cli       20640    20640         70.0            -            -           -       -       -      30.0   1.20
`, out.String())
}

// elements counts the elements of a drawing that is well-formed, by their class.
func elements(t *testing.T, drawing []byte) map[string]int {
	t.Helper()
	counts := make(map[string]int)
	for decoder := xml.NewDecoder(bytes.NewReader(drawing)); ; {
		token, err := decoder.Token()
		if errors.Is(err, io.EOF) {
			return counts
		}
		require.NoError(t, err)
		if element, ok := token.(xml.StartElement); ok {
			for _, attribute := range element.Attr {
				if attribute.Name.Local == "class" {
					counts[element.Name.Local+" "+attribute.Value]++
				}
			}
		}
	}
}

func TestTheChartHasABarForEachContender(t *testing.T) {
	drawing := testReport().chart()
	counts := elements(t, drawing)
	require.Equal(t, 1, counts["rect bar bare"])
	require.Equal(t, 1, counts["rect bar ours"])
	for _, text := range []string{"20,640  (1.20)", "A &lt;fast&gt; one", "64 in flight", "prefers-color-scheme: dark"} {
		require.Contains(t, string(drawing), text)
	}
}

func TestTheChartOfTheScalingDrawsItsCurves(t *testing.T) {
	s := &scaling{
		Latency: 0.2, ByCalls: []point{{15, 1, 5, 5, 5}, {120, 8, 40, 39, 38}, {960, 64, 320, 317, 310}},
		ByInput: []point{{10_000, 64, 0, 17_000, 17_500}, {100_000, 64, 0, 17_100, 17_800}},
	}
	drawing := s.chart()
	counts := elements(t, drawing)
	require.Equal(t, 2, counts["polyline ideal"], "the line and its key")
	require.Equal(t, 2, counts["polyline line ours"])
	require.Equal(t, 2, counts["polyline line bare"])
	require.Equal(t, 5, counts["circle ours"])
	require.NotContains(t, string(drawing), "NaN")
	require.NotContains(t, string(drawing), "Inf")
	require.NotContains(t, string((&scaling{ByCalls: s.ByCalls[:1]}).chart()), "NaN", "one point makes no curve")
}

func TestThousandsAreGrouped(t *testing.T) {
	for want, f := range map[string]float64{"0": 0, "999": 999.4, "1,000": 999.5, "12,346": 12345.6, "1,000,000": 1e6} {
		require.Equal(t, want, thousands(f))
	}
}

func TestRatiosAreTakenRoundByRound(t *testing.T) {
	// The machine was slower in the second round, for both.
	of := []*outcome{{Calls: 120, Seconds: 1}, {Calls: 60, Seconds: 1}, {Calls: 130, Seconds: 1}}
	to := []*outcome{{Calls: 100, Seconds: 1}, {Calls: 50, Seconds: 1}, {Calls: 100, Seconds: 1}}
	require.InDelta(t, 1.2, ratio(of, to), 1e-9)
	require.InDelta(t, 120, median(of, (*outcome).callsPerSecond), 1e-9)
	require.InDelta(t, 90, median(of[:2], (*outcome).callsPerSecond), 1e-9)
}

func TestTheProcessorIsNamed(t *testing.T) {
	require.Equal(t, "Some CPU @ 3 GHz", modelName(strings.NewReader("processor\t: 0\nmodel name\t: Some CPU @ 3 GHz\n")))
	require.Equal(t, "unknown processor", modelName(strings.NewReader("")))
	for text, want := range map[string][2]string{
		"go1.26.8": {"go1.26.8", "none"}, "go1.26.8-X:jsonv2": {"go1.26.8", "jsonv2"}, "go1.26 X:jsonv2": {"go1.26", "jsonv2"},
	} {
		version, experiment := goVersion(text)
		require.Equal(t, want, [2]string{version, experiment})
	}
	require.Equal(t, "the server is http://gpu:8000/v1", thisMachine("http://gpu:8000/v1").Server)
}

func TestResultsMustBeAllThereAndSuccesses(t *testing.T) {
	path := filepath.Join(t.TempDir(), "results.jsonl")
	write := func(text string) { require.NoError(t, os.WriteFile(path, []byte(text), 0o600)) }
	write(`{"success":true,"elapsed_time":0.5}` + "\n" + `{"success":true,"elapsed_time":0.25}` + "\n")
	took, err := readResults(path, 2)
	require.NoError(t, err)
	require.Equal(t, []float64{500_000, 250_000}, took)
	_, err = readResults(path, 3)
	require.ErrorContains(t, err, "2 results for 3 requests")
	write(`{"success":true}` + "\n" + `{"success":false,"error":"too bad"}` + "\n")
	_, err = readResults(path, 2)
	require.ErrorContains(t, err, "line 2: too bad")
	write("{")
	_, err = readResults(path, 1)
	require.ErrorContains(t, err, "line 1: ")
}

func TestTheRequestsOfTheFileAreThoseOfTheLibrary(t *testing.T) {
	path := filepath.Join(t.TempDir(), "requests.jsonl")
	require.NoError(t, writeRequests(path, 3))
	text, err := os.ReadFile(path)
	require.NoError(t, err)
	for i, line := range strings.Split(strings.TrimSpace(string(text)), "\n") {
		want, err := json.Marshal(newRequest(i))
		require.NoError(t, err)
		require.JSONEq(t, string(want), line)
		require.InDelta(t, 400, len(line), 50)
	}
}
