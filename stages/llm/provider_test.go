package llm_test

import (
	"net/url"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/gluepipe/gluepipe/stages/batch"
	"github.com/gluepipe/gluepipe/stages/llm"
)

func TestProvidersAreSortedAndComplete(t *testing.T) {
	last := ""
	for _, p := range llm.Providers() {
		require.Greater(t, p.Name, last)
		last = p.Name
		require.True(t, p.KeyOptional || p.KeyVar != "", p.Name)
		if p.BaseURL == "" {
			require.Contains(t, []string{"azure", "mock"}, p.Name)
			continue
		}
		u, err := url.Parse(p.BaseURL)
		require.NoError(t, err)
		require.Equal(t, p.KeyOptional, u.Scheme == "http" && u.Hostname() == "localhost", p.Name)
	}
	require.Len(t, llm.Providers(), 16)
}

func TestProvidersCantBeChangedByCallers(t *testing.T) {
	llm.Providers()[0].Name = "changed"
	require.NotEqual(t, "changed", llm.Providers()[0].Name)
}

func TestUnknownProviderErrorNamesTheKnownOnes(t *testing.T) {
	_, err := llm.LookupProvider("opnai")
	require.ErrorIs(t, err, batch.ErrInvalidRequest)
	require.EqualError(t, err, `unknown provider "opnai": want one of anthropic, azure, deepseek, fireworks, gemini, groq, `+
		`llamacpp, lmstudio, mistral, mock, ollama, openai, openrouter, together, vllm, xai`)
}

func TestModelSplitsOnlyAtAKnownProvider(t *testing.T) {
	for name, want := range map[string][2]string{
		"openai:gpt-4o-mini":              {"openai", "gpt-4o-mini"},
		"azure:my-deployment":             {"azure", "my-deployment"},
		"ollama:llama3:8b":                {"ollama", "llama3:8b"},
		"openrouter:openai/gpt-4o:online": {"openrouter", "openai/gpt-4o:online"},
		"mock:echo?latency=20ms":          {"mock", "echo?latency=20ms"},
		"llama3:8b":                       {"", "llama3:8b"},
		"gpt-4o":                          {"", "gpt-4o"},
		"OpenAI:gpt-4o":                   {"", "OpenAI:gpt-4o"},
		":x":                              {"", ":x"},
		"":                                {"", ""},
		"openai:":                         {"openai", ""},
	} {
		provider, model := llm.SplitModel(name)
		require.Equal(t, want, [2]string{provider, model}, "%q", name)
	}
}

func TestEnvironmentGivesAddressAndKey(t *testing.T) {
	env := map[string]string{
		"OPENAI_API_KEY": " sk-1\n", "AZURE_OPENAI_API_KEY": "az", "AZURE_OPENAI_ENDPOINT": "https://res.openai.azure.com/",
	}
	getenv := func(name string) string { return env[name] }
	for name, want := range map[string][2]string{
		"openai": {"https://api.openai.com/v1", "sk-1"},
		"azure":  {"https://res.openai.azure.com/openai/v1", "az"},
		"groq":   {"https://api.groq.com/openai/v1", ""},
		"mock":   {"", ""},
	} {
		baseURL, key := must(llm.LookupProvider(name)).FromEnv(getenv)
		require.Equal(t, want, [2]string{baseURL, key}, name)
	}
	env["AZURE_OPENAI_ENDPOINT"] = "https://res.openai.azure.com/openai/v1/"
	baseURL, _ := must(llm.LookupProvider("azure")).FromEnv(getenv)
	require.Equal(t, "https://res.openai.azure.com/openai/v1", baseURL)
}

func TestProvidersThatTakeNoSchemaAreKnown(t *testing.T) {
	var names []string
	for _, p := range llm.Providers() {
		if p.SchemaInPrompt {
			names = append(names, p.Name)
		}
	}
	require.Equal(t, []string{"anthropic", "deepseek"}, names)
}
