package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"sync/atomic"
	"time"

	"github.com/sashabaranov/go-openai"
	"github.com/sourcegraph/conc/pool"
)

// apiKey is sent as people's keys are; the server doesn't look.
const apiKey = "no-secret"

const model = "gpt-4o-mini"

// tunedTransport keeps a connection for each call in flight.
func tunedTransport(inFlight int) *http.Transport {
	t := http.DefaultTransport.(*http.Transport).Clone()
	t.MaxIdleConns, t.MaxIdleConnsPerHost = 0, inFlight
	return t
}

// loop makes the calls from as many goroutines as there may be in flight.
func (l *load) loop(ctx context.Context, call func(context.Context) error) (*outcome, error) {
	took := make([]float64, l.requests)
	var next atomic.Int64
	m := newMeter()
	workers := pool.New().WithContext(ctx).WithCancelOnError().WithFirstError()
	for range l.inFlight {
		workers.Go(func(ctx context.Context) error {
			for {
				i := int(next.Add(1)) - 1
				if i >= l.requests {
					return nil
				}
				began := time.Now()
				if err := call(ctx); err != nil {
					return err
				}
				took[i] = microseconds(time.Since(began))
			}
		})
	}
	err := workers.Wait()
	o := m.outcome(l.requests)
	o.setLatency(took, l.latency)
	return o, err
}

func preparedRequest() openai.ChatCompletionRequest {
	return openai.ChatCompletionRequest{Model: model, Messages: []openai.ChatCompletionMessage{
		{Role: openai.ChatMessageRoleSystem, Content: systemPrompt},
		{Role: openai.ChatMessageRoleUser, Content: userMessage(0)},
	}}
}

func runNetHTTP(ctx context.Context, l *load) (*outcome, error) {
	body, err := json.Marshal(preparedRequest())
	if err != nil {
		return nil, err
	}
	transport := tunedTransport(l.inFlight)
	defer transport.CloseIdleConnections()
	client := &http.Client{Transport: transport}
	return l.loop(ctx, func(ctx context.Context) error {
		r, err := http.NewRequestWithContext(ctx, http.MethodPost, l.url+"/chat/completions", bytes.NewReader(body))
		if err != nil {
			return err
		}
		r.Header.Set("Content-Type", "application/json")
		r.Header.Set("Authorization", "Bearer "+apiKey)
		answer, err := client.Do(r)
		if err != nil {
			return err
		}
		_, err = io.Copy(io.Discard, answer.Body)
		if err := errors.Join(err, answer.Body.Close()); err != nil {
			return err
		}
		if answer.StatusCode != http.StatusOK {
			return fmt.Errorf("%s: %s", l.url, answer.Status)
		}
		return nil
	})
}

func runGoOpenAI(ctx context.Context, l *load) (*outcome, error) {
	transport := tunedTransport(l.inFlight)
	defer transport.CloseIdleConnections()
	config := openai.DefaultConfig(apiKey)
	config.BaseURL, config.HTTPClient = l.url, &http.Client{Transport: transport}
	client, request := openai.NewClientWithConfig(config), preparedRequest()
	return l.loop(ctx, func(ctx context.Context) error {
		answer, err := client.CreateChatCompletion(ctx, request)
		if err == nil && (len(answer.Choices) == 0 || answer.Choices[0].Message.Content == "") {
			err = errors.New("an answer without a text")
		}
		return err
	})
}
