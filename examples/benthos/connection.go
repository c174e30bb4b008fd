package main

import (
	"cmp"
	"errors"
	"os"
	"time"

	"github.com/gluepipe/gluepipe/stages/llm"
	"github.com/gluepipe/gluepipe/stages/llm/llmtest"
)

// connection says which server is called, and how much it bears.
type connection struct {
	model, baseURL, apiKey string
	maxConcurrent          int
	limits                 llm.Limits
}

// maxWait is how long a call waits for limits before it fails.
const maxWait = 15 * time.Minute

// connect returns what makes the calls: within the limits, paced by what the server bears, made again after a 429.
func (c connection) connect() (llm.Completer, func() error, error) {
	name, model := llm.SplitModel(c.model)
	provider, err := llm.LookupProvider(name)
	if err != nil {
		return nil, nil, err
	}
	baseURL, apiKey := provider.FromEnv(os.Getenv)
	closers := []func() error{}
	if name == "mock" && c.baseURL == "" {
		config, err := llmtest.ParseModel(model)
		if err != nil {
			return nil, nil, err
		}
		server, err := llmtest.Start(config)
		if err != nil {
			return nil, nil, err
		}
		closers = append(closers, server.Close)
		baseURL = server.BaseURL()
	}
	client, err := llm.NewClient(llm.ClientConfig{
		Provider: provider, BaseURL: cmp.Or(c.baseURL, baseURL), APIKey: cmp.Or(c.apiKey, apiKey), MaxConns: c.maxConcurrent,
	})
	if err != nil {
		return nil, nil, err
	}
	closers = append([]func() error{client.Close}, closers...)
	limiter := llm.NewLimiter(llm.LimiterConfig{Limits: c.limits, MaxConcurrent: c.maxConcurrent})
	pool := llm.NewKeyPool([]llm.Key{{Completer: llm.Timeout(client), Limiter: limiter}}, llm.NewPermits(c.maxConcurrent), nil)
	free := func() error {
		var err error
		for _, closer := range closers {
			err = errors.Join(err, closer())
		}
		return err
	}
	return llm.Park(pool, maxWait), free, nil
}
