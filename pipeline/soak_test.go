package pipeline_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"os"
	"runtime"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/gluepipe/gluepipe/pipeline"
	"github.com/gluepipe/gluepipe/stages/batch"
	"github.com/gluepipe/gluepipe/stages/llm/llmtest"
)

// GLUEPIPE_SOAK says how long the test goes on, as in 3m; else it is a few seconds.
func TestSoak(t *testing.T) {
	length := 3 * time.Second
	if text := os.Getenv("GLUEPIPE_SOAK"); text != "" {
		var err error
		length, err = time.ParseDuration(text)
		require.NoError(t, err, "GLUEPIPE_SOAK")
	}
	const warmUp, headroom = 5, 24 << 20
	var early, late uint64 // bytes on the heap
	runs, processors := 0, 0
	for begin := time.Now(); processors <= warmUp || time.Since(begin) < length; processors++ {
		t.Run(fmt.Sprintf("processor %d", processors), func(t *testing.T) { runs += soak(t, processors) })
		if t.Failed() {
			return
		}
		late = heap()
		if processors < warmUp {
			early = max(early, late)
		}
	}
	t.Logf("%d runs on %d processors; %d KiB on the heap early, %d KiB late", runs, processors, early>>10, late>>10)
	require.Less(t, late, early+headroom, "bytes on the heap")
}

func heap() uint64 {
	runtime.GC()
	var stats runtime.MemStats
	runtime.ReadMemStats(&stats)
	return stats.HeapAlloc
}

// soak has one processor do several runs, some at once, against a server that does everything wrong. It returns how many.
func soak(t *testing.T, processor int) (runs int) {
	requireNothingLeft(t)
	atOnce, faults := 1+rand.IntN(16), rand.Float64()/2
	server := llmtest.New(t, llmtest.Config{
		Latency: rand.N(3 * time.Millisecond), Jitter: 1,
		Respond: func(r *llmtest.Request) *llmtest.Answer { return anything(r, faults) },
	})
	newClient := newMeteredClient
	if rand.IntN(4) == 0 {
		newClient = newMeteredNetHTTP
	}
	client := newClient(t, atOnce)
	lookup := batch.Tool{Name: "lookup", Description: "d", Call: soakTool}
	failFast := rand.IntN(8) == 0
	cfg := &pipeline.Config{
		Model: "vllm:echo", BaseURL: server.BaseURL(), HTTPClient: client, Tools: []batch.Tool{lookup},
		MaxConcurrent: atOnce, MaxPending: 1 + rand.IntN(100), Ordered: rand.IntN(2) == 0,
		Retry: soon(1 + rand.IntN(5)), Timeout: 150 * time.Millisecond, ToolTimeout: 20 * time.Millisecond,
		MaxResponseBytes: 128 << 10, Grace: 5 * time.Second,
		AbortAfter: 1000, // on a slow machine, many calls in a row may come too late
	}
	if failFast {
		cfg.ErrorStrategy = batch.FailFast
	}
	p := newProcessor(t, cfg)
	drains := rand.IntN(3) == 0
	if drains {
		timer := time.AfterFunc(rand.N(300*time.Millisecond), p.Drain)
		defer timer.Stop()
	}
	var all sync.WaitGroup
	for lane := range 1 + rand.IntN(3) {
		n := 1 + rand.IntN(3)
		runs += n
		all.Go(func() {
			for i := range n {
				r := &soakRun{
					t: t, name: fmt.Sprintf("%d-%d-%d", processor, lane, i), n: rand.IntN(120), drains: drains, failFast: failFast,
					acks: make(map[string][]bool),
				}
				r.run(p)
			}
		})
	}
	all.Wait()
	require.LessOrEqual(t, int(client.most.Load()), atOnce)
	require.Zero(t, p.InFlight())
	return runs
}

// anything answers a share of the requests wrong, in every way that the server knows.
func anything(r *llmtest.Request, share float64) *llmtest.Answer {
	echo := llmtest.Text(r.Prompt())
	if rand.Float64() >= share {
		return echo
	}
	wrong := [...]*llmtest.Answer{
		llmtest.Error(http.StatusInternalServerError, "", "oops"), llmtest.Error(http.StatusServiceUnavailable, "", "down"),
		llmtest.Error(http.StatusBadRequest, "bad", "no"), llmtest.Error(http.StatusBadRequest, "context_length_exceeded", "long"),
		llmtest.Error(http.StatusConflict, "", "again"), llmtest.Error(http.StatusRequestTimeout, "", "slow"),
		llmtest.RateLimited(rand.N(5 * time.Millisecond)),
		llmtest.HTML(), llmtest.ErrorInside200(), llmtest.NoChoices(), llmtest.NullContent(),
		llmtest.NullArguments("lookup"), llmtest.Call("lookup", `{"key": "x"}`), llmtest.Call("unheard_of", "not JSON"),
		{Refusal: "I'd rather not."},
		{Content: "half", FinishReason: "length"},
		{Content: "x", FinishReason: "content_filter"},
	}
	faults := [...]llmtest.Fault{
		llmtest.Reset, llmtest.Hang, llmtest.EmptyBody, llmtest.Truncate, llmtest.HalfJSON, llmtest.Trickle, llmtest.LateEnd,
		llmtest.Endless,
	}
	i := rand.IntN(len(wrong) + len(faults))
	if i < len(wrong) {
		return wrong[i]
	}
	echo.Fault = faults[i-len(wrong)]
	return echo
}

func soakTool(ctx context.Context, _ json.RawMessage) (string, error) {
	switch rand.IntN(4) {
	case 0:
		panic("the tool panics")
	case 1:
		return "", errors.New("the tool fails")
	case 2:
		<-ctx.Done()
		return "", ctx.Err()
	}
	return "found", nil
}
