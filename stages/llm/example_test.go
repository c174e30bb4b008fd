package llm_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"time"

	"github.com/sashabaranov/go-openai"

	"github.com/gluepipe/gluepipe/stages/batch"
	"github.com/gluepipe/gluepipe/stages/llm"
	"github.com/gluepipe/gluepipe/stages/llm/llmtest"
)

func ExampleNewClient() {
	server, err := llmtest.Start(llmtest.Config{})
	if err != nil {
		panic(err)
	}
	defer server.Close()
	client, err := llm.NewClient(llm.ClientConfig{BaseURL: server.BaseURL()})
	if err != nil {
		panic(err)
	}
	defer client.Close()
	answer, err := client.Complete(context.Background(), &llm.Call{
		Model:    "gpt-4o-mini",
		Messages: []batch.Message{batch.UserMessage("Hello")},
	})
	if err != nil {
		panic(err)
	}
	fmt.Println(answer.Text)
	// Output: Hello
}

func ExampleOpenAI() {
	server, err := llmtest.Start(llmtest.Config{})
	if err != nil {
		panic(err)
	}
	defer server.Close()
	transport := llm.NewTransport(10)
	defer transport.CloseIdleConnections()
	cfg := openai.DefaultConfig("")
	cfg.BaseURL = server.BaseURL()
	cfg.HTTPClient = &http.Client{Transport: transport}
	completer := llm.OpenAI(openai.NewClientWithConfig(cfg))
	answer, err := completer.Complete(context.Background(), &llm.Call{
		Model:    "gpt-4o-mini",
		Messages: []batch.Message{batch.UserMessage("Hello")},
	})
	if err != nil {
		panic(err)
	}
	fmt.Println(answer.Text)
	// Output: Hello
}

func ExampleAppendBody() {
	body, err := llm.AppendBody(nil, &llm.Call{
		Model:    "openai:gpt-4o-mini",
		Messages: []batch.Message{batch.UserMessage("Hello")},
		Params:   map[string]any{"temperature": 0},
	})
	fmt.Println(string(body), err)
	// Output: {"model":"gpt-4o-mini","messages":[{"role":"user","content":"Hello"}],"temperature":0} <nil>
}

func ExampleSplitModel() {
	for _, name := range []string{"openai:gpt-4o-mini", "ollama:llama3:8b", "llama3:8b"} {
		provider, model := llm.SplitModel(name)
		fmt.Printf("%q %q\n", provider, model)
	}
	// Output:
	// "openai" "gpt-4o-mini"
	// "ollama" "llama3:8b"
	// "" "llama3:8b"
}

func ExampleLookupProvider() {
	provider, err := llm.LookupProvider("groq")
	if err != nil {
		panic(err)
	}
	baseURL, _ := provider.FromEnv(os.Getenv)
	fmt.Println(baseURL, provider.KeyVar)
	// Output: https://api.groq.com/openai/v1 GROQ_API_KEY
}

func ExampleProviders() {
	for _, p := range llm.Providers() {
		if p.KeyOptional {
			fmt.Print(p.Name, " ")
		}
	}
	// Output: llamacpp lmstudio mock ollama vllm
}

func ExampleClassify() {
	err := llm.Classify(context.Background(), &net.DNSError{Err: "no such host", Name: "api.example.com", IsNotFound: true})
	fmt.Println(errors.Is(err, batch.ErrAPIConnection), err.Retryable, err)
	// Output: true true lookup api.example.com: no such host
}

// A limiter that adapts, and has calls wait for a server that is down.
func ExampleNewLimiter() {
	tries := 0
	client := llm.CompleterFunc(func(context.Context, *llm.Call) (*llm.Answer, error) {
		if tries++; tries == 1 {
			return nil, &llm.Error{
				Kind: batch.ErrRateLimit, Status: 429, RetryAfter: time.Millisecond, Err: errors.New("slow down"),
			}
		}
		return &llm.Answer{Text: "hello"}, nil
	})
	limiter := llm.NewLimiter(llm.LimiterConfig{
		MaxConcurrent: 64, // as many calls in flight as the provider bears, up to these
		MaxOutage:     time.Minute,
		OnPause:       func(p llm.Pause) { fmt.Printf("calls wait: %v (%d in flight)\n", p.Err, p.InFlight) },
	})
	answer, err := llm.Park(llm.RateLimit(client, limiter), 0).Complete(context.Background(), &llm.Call{})
	fmt.Println(answer.Text, err)
	// Output:
	// calls wait: slow down (1 in flight)
	// hello <nil>
}

func ExampleCountInputs() {
	for _, input := range []string{`"a text"`, `["two", "texts"]`, `[15339, 1917]`, `""`} {
		fmt.Println(input, llm.CountInputs(json.RawMessage(input)))
	}
	// Output:
	// "a text" 1
	// ["two", "texts"] 2
	// [15339, 1917] 1
	// "" 0
}
