package pipeline

import (
	"context"
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/gluepipe/gluepipe/stages"
	"github.com/gluepipe/gluepipe/stages/batch"
	"github.com/gluepipe/gluepipe/stages/llm"
)

func TestARunAfterADrainTakesNothing(t *testing.T) {
	p := newProcessor(t, &Config{Completer: fakeModel(0)})
	p.Drain()
	for range 100 { // the scheduler might start the source first
		response, err := p.Process(t.Context(), requests(10))
		require.NoError(t, err)
		require.Zero(t, response.TotalRequests)
	}
}

func TestAProcessorKeepsItsConfigurationWhateverTheCallerDoesToIt(t *testing.T) {
	nothing := func(context.Context, *batch.Item) error { return nil }
	cfg := &Config{
		Params: map[string]any{"seed": 1}, Tools: []batch.Tool{{Name: "mine", Description: "d"}},
		BeforeExecute: []batch.Stage{stages.Map(1, nothing)}, AfterExecute: []batch.Stage{stages.Map(1, nothing)},
		Completer: llm.CompleterFunc(func(_ context.Context, call *llm.Call) (*llm.Answer, error) {
			return &llm.Answer{Text: fmt.Sprint(call.Params["seed"], call.Tools[0].Name)}, nil
		}),
	}
	p := newProcessor(t, cfg)
	cfg.Params["seed"], cfg.Tools[0].Name, cfg.BeforeExecute[0], cfg.AfterExecute[0] = 2, "another", nil, nil
	response, err := p.Process(t.Context(), requests(1))
	require.NoError(t, err)
	require.Equal(t, "1mine", response.Results[0].Response)
}
