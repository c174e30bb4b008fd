package llm

import (
	"slices"
	"strings"

	"github.com/gluepipe/gluepipe/stages/batch"
)

// Provider is a service, or a kind of local server, that speaks the chat completions dialect.
type Provider struct {
	Name    string // as in "name:model"
	BaseURL string // "" where it has to be given
	KeyVar  string // the environment variable that holds the key
	// KeyHeader is the header that carries the key as it is; "" means "Authorization: Bearer".
	KeyHeader string
	// KeyOptional says that the provider answers without a key.
	KeyOptional bool
	// EndpointVar is an environment variable that gives the base URL, with EndpointPath after it.
	EndpointVar  string
	EndpointPath string
	// SchemaInPrompt says that a response_format of type json_schema is refused or ignored, so that the schema of an answer
	// belongs into the chat.
	SchemaInPrompt bool
}

// Providers returns the known providers, in the order of their names.
func Providers() []Provider { return slices.Clone(providers[:]) }

// The addresses and names of variables are the providers' own, from the pages named.
var providers = [...]Provider{
	// https://platform.claude.com/docs/en/api/openai-sdk: response_format is ignored
	{Name: "anthropic", BaseURL: "https://api.anthropic.com/v1", KeyVar: "ANTHROPIC_API_KEY", SchemaInPrompt: true},
	// https://learn.microsoft.com/azure/ai-foundry/openai/api-version-lifecycle: the v1 API, where the model is the deployment
	{
		Name: "azure", KeyVar: "AZURE_OPENAI_API_KEY", KeyHeader: "api-key",
		EndpointVar: "AZURE_OPENAI_ENDPOINT", EndpointPath: "/openai/v1",
	},
	// https://api-docs.deepseek.com/guides/json_mode: response_format is text or json_object
	{Name: "deepseek", BaseURL: "https://api.deepseek.com", KeyVar: "DEEPSEEK_API_KEY", SchemaInPrompt: true},
	// https://docs.fireworks.ai/tools-sdks/openai-compatibility
	{Name: "fireworks", BaseURL: "https://api.fireworks.ai/inference/v1", KeyVar: "FIREWORKS_API_KEY"},
	// https://ai.google.dev/gemini-api/docs/openai
	{Name: "gemini", BaseURL: "https://generativelanguage.googleapis.com/v1beta/openai", KeyVar: "GEMINI_API_KEY"},
	// https://console.groq.com/docs/openai
	{Name: "groq", BaseURL: "https://api.groq.com/openai/v1", KeyVar: "GROQ_API_KEY"},
	// https://github.com/ggml-org/llama.cpp/tree/master/tools/server
	{Name: "llamacpp", BaseURL: "http://localhost:8080/v1", KeyVar: "LLAMA_API_KEY", KeyOptional: true},
	// https://lmstudio.ai/docs/developer/core/authentication
	{Name: "lmstudio", BaseURL: "http://localhost:1234/v1", KeyVar: "LM_API_TOKEN", KeyOptional: true},
	// https://docs.mistral.ai/api
	{Name: "mistral", BaseURL: "https://api.mistral.ai/v1", KeyVar: "MISTRAL_API_KEY"},
	// the server of llmtest, which listens where it was started
	{Name: "mock", KeyOptional: true},
	// https://docs.ollama.com/api/openai-compatibility
	{Name: "ollama", BaseURL: "http://localhost:11434/v1", KeyVar: "OLLAMA_API_KEY", KeyOptional: true},
	// https://platform.openai.com/docs/api-reference/authentication
	{Name: "openai", BaseURL: "https://api.openai.com/v1", KeyVar: "OPENAI_API_KEY"},
	// https://openrouter.ai/docs/quickstart
	{Name: "openrouter", BaseURL: "https://openrouter.ai/api/v1", KeyVar: "OPENROUTER_API_KEY"},
	// https://docs.together.ai/docs/inference/openai-compatibility
	{Name: "together", BaseURL: "https://api.together.ai/v1", KeyVar: "TOGETHER_API_KEY"},
	// https://docs.vllm.ai/en/latest/serving/openai_compatible_server
	{Name: "vllm", BaseURL: "http://localhost:8000/v1", KeyVar: "VLLM_API_KEY", KeyOptional: true},
	// https://docs.x.ai/docs/api-reference
	{Name: "xai", BaseURL: "https://api.x.ai/v1", KeyVar: "XAI_API_KEY"},
}

// LookupProvider returns the provider with that name. Its error names the known ones.
func LookupProvider(name string) (Provider, error) {
	if p := findProvider(name); p != nil {
		return *p, nil
	}
	names := make([]string, len(providers))
	for i := range providers {
		names[i] = providers[i].Name
	}
	return Provider{}, batch.ErrInvalidRequest.Errorf("unknown provider %q: want one of %s", name, strings.Join(names, ", "))
}

func findProvider(name string) *Provider {
	for i := range providers {
		if providers[i].Name == name {
			return &providers[i]
		}
	}
	return nil
}

// SplitModel splits "provider:model". What stands before the colon counts only where it is a known provider's name: in
// "llama3:8b" the provider is "" and the model is the whole.
func SplitModel(name string) (provider, model string) {
	before, after, found := strings.Cut(name, ":")
	if found && findProvider(before) != nil {
		return before, after
	}
	return "", name
}

// FromEnv returns the base URL and the key that the environment gives; getenv is [os.Getenv] or a stand-in. The base URL is
// the provider's own where the environment has none, and either may be "".
func (p Provider) FromEnv(getenv func(string) string) (baseURL, apiKey string) {
	baseURL = p.BaseURL
	if p.EndpointVar != "" {
		if endpoint := strings.TrimRight(strings.TrimSpace(getenv(p.EndpointVar)), "/"); endpoint != "" {
			baseURL = strings.TrimSuffix(endpoint, p.EndpointPath) + p.EndpointPath
		}
	}
	if p.KeyVar != "" {
		apiKey = strings.TrimSpace(getenv(p.KeyVar))
	}
	return baseURL, apiKey
}
