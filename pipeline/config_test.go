package pipeline

import (
	"errors"
	"net/http"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/gluepipe/gluepipe/stages/batch"
)

func TestAConfigErrorTellsItsField(t *testing.T) {
	none := func(string) string { return "" }
	for field, cfg := range map[string]Config{
		"Model":         {Model: "nobody:x"},
		"MaxConcurrent": {MaxConcurrent: -2},
		"AbortAfter":    {AbortAfter: -2},
		"Params":        {Params: map[string]any{"stream": true}},
		"Tools":         {Tools: []batch.Tool{{}}},
		"BaseURL":       {Model: "openai:x", BaseURL: "localhost"},
		"APIKey":        {Model: "openai:x"},
		"MaxToolResult": {MaxToolResult: -2},

		"ToolExecutionOrder": {ToolExecutionOrder: "serial"},
	} {
		cfg.Getenv = none
		_, err := NewBatchProcessor(&cfg)
		var wrong *ConfigError
		require.ErrorAs(t, err, &wrong)
		require.Equal(t, field, wrong.Field)
	}
	for field, model := range map[string]string{"Model": "mock:nonsense", "BaseURL": "azure:x"} {
		_, err := NewBatchProcessor(&Config{Model: model, Getenv: func(name string) string {
			return map[string]string{"AZURE_OPENAI_API_KEY": "key"}[name]
		}})
		require.ErrorContains(t, err, "config: "+field+": ")
	}
}

// refusing answers nothing and keeps what it was asked.
type refusing struct{ asked *http.Request }

func (r *refusing) Do(request *http.Request) (*http.Response, error) {
	r.asked = request
	return nil, errors.New("not today")
}

func TestKeysAndAddressesAreFoundThroughGetenv(t *testing.T) {
	t.Setenv("AZURE_OPENAI_API_KEY", "")
	client := &refusing{}
	p := newProcessor(t, &Config{Model: "mock:echo", HTTPClient: client, Getenv: func(name string) string {
		return map[string]string{"AZURE_OPENAI_API_KEY": "from-getenv", "AZURE_OPENAI_ENDPOINT": "https://mine.example"}[name]
	}})
	_, err := p.Process(t.Context(), []batch.Request{{UserMessage: "hi", Model: "azure:x"}})
	require.NoError(t, err)
	require.Equal(t, "from-getenv", client.asked.Header.Get("Api-Key"))
	require.Equal(t, "mine.example", client.asked.URL.Host)
}
