package llmtest_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"log"
	"net/http"
	"time"

	"github.com/gluepipe/gluepipe/stages/llm/llmtest"
)

// say sends a prompt to a server and prints what the client sees.
func say(srv *llmtest.Server, model, prompt string) {
	body, _ := json.Marshal(map[string]any{
		"model": model, "messages": []map[string]string{{"role": "user", "content": prompt}},
	})
	resp, err := http.Post(srv.BaseURL()+"/chat/completions", "application/json", bytes.NewReader(body))
	if err != nil {
		fmt.Println("no answer")
		return
	}
	defer resp.Body.Close()
	data, _ := io.ReadAll(resp.Body)
	var answer struct {
		Choices []struct{ Message struct{ Content string } }
		Error   struct{ Message string }
	}
	if err := json.Unmarshal(data, &answer); err != nil {
		fmt.Println(resp.StatusCode, "not JSON")
		return
	}
	for _, choice := range answer.Choices {
		fmt.Println(resp.StatusCode, choice.Message.Content)
	}
	if answer.Error.Message != "" {
		fmt.Println(resp.StatusCode, answer.Error.Message)
	}
}

func serve(cfg llmtest.Config) *llmtest.Server {
	srv, err := llmtest.Start(cfg)
	if err != nil {
		log.Fatal(err)
	}
	return srv
}

func ExampleStart() {
	srv, err := llmtest.Start(llmtest.Config{Latency: time.Millisecond, APIKeys: nil})
	if err != nil {
		log.Fatal(err)
	}
	defer srv.Close()

	say(srv, "gpt-4o-mini", "Hello")
	say(srv, "flaky", "Hello again")
	say(srv, "flaky", "Hello again")
	fmt.Println(srv.Stats().Requests, "requests")
	// Output:
	// 200 Hello
	// 503 The engine is currently overloaded, please try again later.
	// 200 Hello again
	// 3 requests
}

func ExampleConfig_respond() {
	srv := serve(llmtest.Config{Respond: func(r *llmtest.Request) *llmtest.Answer {
		switch {
		case r.Prompt() == "How are you?":
			return llmtest.Text("Fine.")
		case r.Attempt == 1:
			return &llmtest.Answer{Fault: llmtest.Reset}
		}
		return nil // echo
	}})
	defer srv.Close()

	say(srv, "m", "How are you?")
	say(srv, "m", "Bye")
	say(srv, "m", "Bye")
	// Output:
	// 200 Fine.
	// no answer
	// 200 Bye
}

func ExampleSequence() {
	srv := serve(llmtest.Config{Respond: llmtest.Sequence(
		llmtest.RateLimited(20*time.Millisecond), llmtest.HTML(), llmtest.Text("At last."),
	)})
	defer srv.Close()

	for range 4 {
		say(srv, "m", "Hello")
	}
	// Output:
	// 429 Rate limit reached for requests. Please try again in 20ms.
	// 200 not JSON
	// 200 At last.
	// 200 Hello
}

func ExampleBurst429() {
	srv := serve(llmtest.Config{Respond: llmtest.Burst429(2, 20*time.Millisecond)})
	defer srv.Close()

	for _, prompt := range []string{"one", "two", "three"} {
		say(srv, "m", prompt)
	}
	// Output:
	// 429 Rate limit reached for requests. Please try again in 20ms.
	// 429 Rate limit reached for requests. Please try again in 20ms.
	// 200 three
}

func ExampleByAttempt() {
	srv := serve(llmtest.Config{Respond: llmtest.ByAttempt(llmtest.Error(500, "", "Not yet."))})
	defer srv.Close()

	for _, prompt := range []string{"a", "b", "a", "b"} {
		say(srv, "m", prompt)
	}
	fmt.Println(srv.Attempts("a"), "attempts")
	// Output:
	// 500 Not yet.
	// 500 Not yet.
	// 200 a
	// 200 b
	// 2 attempts
}

func ExampleParseModel() {
	cfg, err := llmtest.ParseModel("echo?latency=20ms&error_rate=0.1")
	fmt.Println(cfg.Behaviour, cfg.Latency, cfg.ErrorRate, err)
	_, err = llmtest.ParseModel("gpt-4o")
	fmt.Println(err)
	// Output:
	// echo 20ms 0.1 <nil>
	// model "gpt-4o": unknown behaviour "gpt-4o": want one of echo, flaky, fail, length, refuse
}
