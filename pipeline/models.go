package pipeline

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"

	"github.com/gluepipe/gluepipe/stages/batch"
	"github.com/gluepipe/gluepipe/stages/llm"
	"github.com/gluepipe/gluepipe/stages/llm/llmtest"
)

// models is the Completer of a processor: it sends each call to its model's provider, which is the run's unless a request
// names another. The client of another provider is made when the first request asks for it.
type models struct {
	config   *Config
	permits  *llm.Permits
	provider string       // the run's; "" with a Completer of the caller's
	baseURL  string       // the run's
	pool     *llm.KeyPool // the run's

	mu      sync.RWMutex
	clients map[string]client // by provider
	closers []func() error
}

type client struct {
	llm.Completer
	err error // why there is none
}

func newModels(config *Config) (*models, error) {
	m := &models{config: config, permits: llm.NewPermits(config.MaxConcurrent), clients: make(map[string]client)}
	if config.Completer != nil {
		m.clients[""] = client{Completer: m.paced(llm.Key{Completer: classified(config.Completer)})}
		return m, nil
	}
	provider, model, err := splitModel(config.Model, config.BaseURL)
	if err != nil {
		return nil, &ConfigError{"Model", err}
	}
	m.provider = provider
	first := m.client(provider, model)
	if first.err != nil {
		return nil, errors.Join(&ConfigError{m.fieldOf(first.err), first.err}, m.Close())
	}
	return m, nil
}

// fieldOf returns the field of the configuration that keeps the run's client from being made.
func (m *models) fieldOf(err error) string {
	switch {
	case errors.Is(err, batch.ErrAuthentication):
		return "APIKey"
	case m.provider == "mock" && m.config.BaseURL == "":
		return "Model"
	}
	return "BaseURL"
}

// splitModel splits the run's model. A name without a provider is a model at the base URL, where there is one.
func splitModel(name, baseURL string) (provider, model string, err error) {
	provider, model = llm.SplitModel(name)
	if provider == "" && baseURL != "" {
		return "openai", model, nil // the dialect that is spoken everywhere
	}
	if provider == "" {
		prefix, _, found := strings.Cut(name, ":")
		if !found {
			return "", "", fmt.Errorf("%q names no provider: want provider:model, as in openai:%s", name, name)
		}
		_, err := llm.LookupProvider(prefix)
		return "", "", err
	}
	if model == "" {
		return "", "", fmt.Errorf("%q names no model: want provider:model", name)
	}
	return provider, model, nil
}

// Complete sends the call to its provider.
func (m *models) Complete(ctx context.Context, call *llm.Call) (*llm.Answer, error) {
	provider, model := m.provider, call.Model
	if m.provider != "" {
		if named, rest := llm.SplitModel(call.Model); named != "" {
			provider, model = named, rest
		}
	}
	m.mu.RLock()
	c, ok := m.clients[provider]
	m.mu.RUnlock()
	if !ok {
		c = m.client(provider, model)
	}
	if c.err != nil {
		return nil, batch.ErrInvalidRequest.Errorf("model %q: %w", call.Model, c.err)
	}
	answer, err := c.Complete(ctx, call)
	if failure, ok := errors.AsType[*llm.Error](err); ok && failure.Fatal && provider != m.provider {
		mild := *failure // fatal to the calls of that provider alone
		mild.Fatal = false
		err = &mild
	}
	return answer, err
}

// client returns the provider's client, and makes it the first time.
func (m *models) client(provider, model string) client {
	m.mu.Lock()
	defer m.mu.Unlock()
	c, ok := m.clients[provider]
	if !ok {
		c.Completer, c.err = m.connect(provider, model)
		m.clients[provider] = c
	}
	return c
}

func (m *models) connect(name, model string) (llm.Completer, error) {
	provider, err := llm.LookupProvider(name)
	if err != nil {
		return nil, err
	}
	baseURL, envKey := provider.FromEnv(m.config.Getenv)
	ownURL := "" // at its own address, a provider's client insists on a key
	if baseURL != provider.BaseURL {
		ownURL = baseURL
	}
	apiKeys := []string{envKey}
	if name == m.provider {
		if m.config.BaseURL != "" {
			ownURL = m.config.BaseURL
		}
		switch {
		case len(m.config.APIKeys) > 0:
			apiKeys = m.config.APIKeys
		case m.config.APIKey != "":
			apiKeys = []string{m.config.APIKey}
		}
	}
	if name == "mock" && ownURL == "" {
		if ownURL, err = m.startMock(model); err != nil {
			return nil, err
		}
	}
	if name == m.provider {
		m.baseURL = cmp.Or(ownURL, baseURL)
	}
	httpClient := m.config.HTTPClient
	if httpClient == nil { // one for all keys: they share the calls in flight, and so the connections
		own := llm.NewHTTPClient(m.config.MaxConcurrent)
		m.closers = append(m.closers, func() error { own.CloseIdleConnections(); return nil })
		httpClient = own
	}
	keys := make([]llm.Key, len(apiKeys))
	for i, apiKey := range apiKeys {
		c, err := llm.NewClient(llm.ClientConfig{
			Provider: provider, BaseURL: ownURL, APIKey: apiKey, HTTPClient: httpClient,
			MaxResponseBytes: m.config.MaxResponseBytes,
		})
		if err != nil {
			return nil, err
		}
		keys[i] = llm.Key{Name: llm.KeyName(apiKey), Completer: c}
	}
	return m.paced(keys...), nil
}

// startMock starts the server on loopback that answers for the mock provider.
func (m *models) startMock(model string) (baseURL string, err error) {
	config, err := llmtest.ParseModel(model)
	if err != nil {
		return "", err
	}
	server, err := llmtest.Start(config)
	if err != nil {
		return "", err
	}
	m.closers = append(m.closers, server.Close)
	return server.BaseURL(), nil
}

// Close closes the clients, and the server of the mock provider.
func (m *models) Close() error {
	m.mu.Lock()
	defer m.mu.Unlock()
	var errs []error
	for _, c := range m.closers {
		errs = append(errs, c())
	}
	m.closers = nil
	return errors.Join(errs...)
}
