//go:build unix

package llm_test

import (
	"fmt"
	"net/http"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/gluepipe/gluepipe/stages/batch"
	"github.com/gluepipe/gluepipe/stages/llm"
)

// BenchmarkCallOverLoopback is what one call costs the client, network included. The server is a process of its own. CPU is
// what to compare: the time of a call is the server's, too.
func BenchmarkCallOverLoopback(b *testing.B) {
	url := startFixed(b)
	for _, inFlight := range []int{1, 64, 1000} {
		for name, d := range map[string]doer{
			"ours": llm.NewHTTPClient(inFlight), "net-http": &http.Client{Transport: llm.NewTransport(inFlight)},
		} {
			b.Run(fmt.Sprintf("%s-%d", name, inFlight), func(b *testing.B) {
				defer d.CloseIdleConnections()
				client, err := llm.NewClient(llm.ClientConfig{BaseURL: url, APIKey: testKey, HTTPClient: d})
				require.NoError(b, err)
				benchmarkCalls(b, llm.Timeout(client), inFlight)
			})
		}
	}
}

func benchmarkCalls(b *testing.B, client llm.Completer, inFlight int) {
	b.Helper()
	b.ReportAllocs()
	var left atomic.Int64
	left.Store(int64(b.N))
	began := cpu()
	var wg sync.WaitGroup
	for range inFlight {
		wg.Go(func() {
			for left.Add(-1) >= 0 {
				call := &llm.Call{
					Model:    "gpt-4o-mini",
					Messages: []batch.Message{batch.SystemMessage("Be brief."), batch.UserMessage("What is the capital of France?")},
					Params:   map[string]any{"temperature": 0, "max_tokens": 100},
					Timeout:  time.Minute,
				}
				if _, err := client.Complete(b.Context(), call); err != nil {
					b.Error(err)
					return
				}
			}
		})
	}
	wg.Wait()
	b.ReportMetric(float64(cpu()-began)/float64(b.N), "cpu-ns/op")
}

// cpu is the time that this process has computed for.
func cpu() time.Duration {
	var usage syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &usage); err != nil {
		panic(err)
	}
	return time.Duration(usage.Utime.Nano() + usage.Stime.Nano())
}
