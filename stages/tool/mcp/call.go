package mcp

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/gluepipe/gluepipe/stages/batch"
	"github.com/gluepipe/gluepipe/stages/tool"
)

// tool returns what calls r. Its name is the server's own, and for the caller to change.
func (h *host) tool(r remote) batch.Tool {
	return batch.Tool{
		Name:        r.name,
		Description: r.description,
		Parameters:  r.parameters,
		ReadOnly:    r.readOnly,
		Destructive: r.destructive,
		Server:      h.config.Name,
		Acquire:     h.acquire,
		Call: func(ctx context.Context, arguments json.RawMessage) (string, error) {
			return h.call(ctx, r, arguments)
		},
	}
}

// acquire waits for a place among the calls in flight, and until the server runs: a restart takes nothing of a call's time.
func (h *host) acquire(ctx context.Context) (release func(), err error) {
	if release, err = h.limit(ctx); err != nil {
		return nil, err
	}
	if _, err := h.session(ctx); err != nil {
		release()
		return nil, err
	}
	return release, nil
}

func (h *host) call(ctx context.Context, r remote, arguments json.RawMessage) (string, error) {
	if len(arguments) == 0 {
		arguments = json.RawMessage("{}")
	}
	for {
		s, err := h.session(ctx)
		if err != nil {
			return "", err
		}
		if err := h.check(r); err != nil {
			return "", err
		}
		result, err := s.call(ctx, r.name, arguments)
		switch {
		case err == nil:
			s.answered.Store(true)
			return h.answer(resultText(result), result.IsError)
		case ctx.Err() != nil:
			return "", context.Cause(ctx)
		case !errors.Is(err, errUnsent):
			return "", h.failure(ctx, s, err)
		}
		s.end(err) // and the call is sent to the next
		if !waitFor(ctx, s.done) {
			return "", context.Cause(ctx)
		}
	}
}

// check refuses a tool that is no longer what it was when it was handed out.
func (h *host) check(r remote) error {
	now, ok := h.remote(r.name)
	switch {
	case !ok:
		return fmt.Errorf("the server %q no longer has the tool %q", h.config.Name, r.name)
	case r.readOnly && !now.readOnly:
		return &tool.RefusedError{Reason: fmt.Sprintf("the tool %q was read-only when this run began, and is no longer", r.name)}
	case !r.destructive && now.destructive:
		return &tool.RefusedError{Reason: fmt.Sprintf("the tool %q was not destructive when this run began, and is now", r.name)}
	}
	return nil
}

func (h *host) answer(text string, failed bool) (string, error) {
	switch {
	case int64(len(text)) > h.config.MaxMessage:
		return "", fmt.Errorf("the answer of the server %q has %d bytes, more than the %d that are read", h.config.Name, len(text),
			h.config.MaxMessage)
	case failed:
		return "", errors.New(text)
	}
	return text, nil
}

// failure says why a call has no result that can be read.
func (h *host) failure(ctx context.Context, s *session, err error) error {
	if answer := answeredBy(err); answer != nil {
		s.answered.Store(true)
		return fmt.Errorf("the server %q: %s", h.config.Name, answer.Message)
	}
	if !s.over(ctx) {
		return fmt.Errorf("the answer of the server %q can't be read: %w; %s", h.config.Name, plain(err), unknownEffect)
	}
	s.end(err)
	if !waitFor(ctx, s.done) {
		return context.Cause(ctx)
	}
	return fmt.Errorf("the server %q ended during the call (%w); %s", h.config.Name, s.why, unknownEffect)
}

const unknownEffect = "whether the call took effect is not known"
