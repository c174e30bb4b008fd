package llm

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"syscall"
	"time"

	"github.com/sashabaranov/go-openai"

	"github.com/gluepipe/gluepipe/stages/batch"
)

// Classify makes an [*Error] of what a Completer returned for a call under ctx. An *Error stays one; an error with a
// [batch.ErrorKind] in its chain keeps that kind; else a go-openai error counts by its status and code, then an end of ctx,
// then an error of the network. What is none of these is [batch.ErrServer], and retryable. Classify(ctx, nil) is nil.
func Classify(ctx context.Context, err error) *Error {
	if err == nil {
		return nil
	}
	if known, ok := errors.AsType[*Error](err); ok {
		return rewrap(known, err)
	}
	if kind := batch.KindOf(err); kind != "" {
		return &Error{Kind: kind, Retryable: retryableKind(kind), Header: noHeader, Err: err}
	}
	// It comes first: there may be an empty APIError inside.
	if request, ok := errors.AsType[*openai.RequestError](err); ok {
		return fromRequestError(request, nil)
	}
	if api, ok := errors.AsType[*openai.APIError](err); ok {
		return fromAPIError(api, nil)
	}
	if ctx.Err() != nil {
		return contextError(ctx)
	}
	return networkFailure(err, batch.ErrServer)
}

// rewrap keeps what others said around an *Error: its text, and a kind of their own.
func rewrap(known *Error, err error) *Error {
	if direct, ok := err.(*Error); ok { //nolint:errorlint // the question is whether anything is around it
		return direct
	}
	e := *known
	e.Err = err
	if kind := batch.KindOf(err); kind != e.Kind {
		e.Kind, e.Retryable = kind, retryableKind(kind)
	}
	return &e
}

func retryableKind(kind batch.ErrorKind) bool {
	switch kind {
	case batch.ErrRateLimit, batch.ErrAPIConnection, batch.ErrAPITimeout, batch.ErrServer:
		return true
	}
	return false
}

// contextError is the error of a call that its context ended. A deadline is the call's timeout, unless its cause says that
// the run ended.
func contextError(ctx context.Context) *Error {
	cause := context.Cause(ctx)
	kind := batch.KindOf(cause)
	switch {
	case kind.Unfinished():
	case errors.Is(ctx.Err(), context.DeadlineExceeded):
		return &Error{
			Kind: batch.ErrAPITimeout, Retryable: true, Header: noHeader,
			Err: fmt.Errorf("no answer within the call's timeout: %w", cause),
		}
	default:
		kind = batch.ErrCancelled
	}
	return &Error{Kind: kind, Header: noHeader, Err: fmt.Errorf("call cancelled: %w", cause)}
}

// networkFailure classifies what net/http, or who stands in for it, returned. An error that tells nothing of a network keeps
// the kind otherwise.
func networkFailure(err error, otherwise batch.ErrorKind) *Error {
	var (
		network   net.Error
		operation *net.OpError
		transport *url.Error
	)
	e := &Error{Kind: otherwise, Retryable: true, Header: noHeader, Err: brief(err)}
	switch {
	case unverified(err): // the same certificate awaits every other call
		e.Kind, e.Retryable, e.Fatal = batch.ErrAPIConnection, false, true
	case unreachable(err), tlsFailed(err):
		e.Kind = batch.ErrAPIConnection
	case errors.Is(err, context.DeadlineExceeded), errors.As(err, &network) && network.Timeout():
		e.Kind = batch.ErrAPITimeout
	case errors.As(err, &operation), errors.As(err, &transport), errors.Is(err, io.ErrUnexpectedEOF),
		errors.Is(err, net.ErrClosed), errors.Is(err, syscall.ECONNRESET), errors.Is(err, syscall.ECONNREFUSED),
		errors.Is(err, syscall.EPIPE):
		e.Kind = batch.ErrAPIConnection
	}
	return e
}

// brief cuts an error off from its chain where its text is a nuisance: net/http and encoding/json quote what a server sends.
func brief(err error) error {
	const most = 1000
	if text := err.Error(); len(text) > most {
		return errors.New(shorten(text, most))
	}
	return err
}

// classify decides by the body's code, else by the status.
func classify(status int, body providerError) (kind batch.ErrorKind, retryable bool) {
	for _, name := range [...]string{body.code, body.kind, body.inner} {
		switch name {
		// https://platform.openai.com/docs/guides/error-codes: spent money stands as a 429, and each cause has a code
		case "insufficient_quota", "billing_hard_limit_reached", "billing_not_active", "credit_balance_exhausted",
			"organization_spend_limit_exceeded", "project_spend_limit_exceeded", "organization_usage_limit_exceeded":
			return batch.ErrQuotaExceeded, false
		// OpenAI and who follows it; then llama.cpp
		case "context_length_exceeded", "exceed_context_size_error":
			return batch.ErrTokenLimit, false
		// https://learn.microsoft.com/azure/ai-foundry/openai/concepts/content-filter; then OpenAI
		case "content_filter", "ResponsibleAIPolicyViolation", "content_policy_violation":
			return batch.ErrContentFilter, false
		}
	}
	switch {
	case status == http.StatusUnauthorized, status == http.StatusForbidden:
		return batch.ErrAuthentication, false
	case status == http.StatusPaymentRequired:
		return batch.ErrQuotaExceeded, false
	case status == http.StatusRequestTimeout:
		return batch.ErrAPITimeout, true
	case status == http.StatusConflict:
		return batch.ErrInvalidRequest, true
	// 499 is nginx's name for a client that went: here some proxy on the way, or Google's CANCELLED.
	// https://google.aip.dev/193, https://cloud.google.com/apis/design/errors
	case status == http.StatusTooEarly, status == 499:
		return batch.ErrServer, true
	case status == http.StatusTooManyRequests:
		return batch.ErrRateLimit, true
	case status >= 300 && status < 500:
		return batch.ErrInvalidRequest, false
	case status >= 500:
		return batch.ErrServer, true
	}
	return classifyName(body)
}

// classifyName classifies an error that stands in an answer with a good status and names none itself.
func classifyName(body providerError) (kind batch.ErrorKind, retryable bool) {
	for _, name := range [...]string{body.code, body.kind} {
		switch name {
		case "rate_limit_exceeded", "rate_limit_error", "RESOURCE_EXHAUSTED":
			return batch.ErrRateLimit, true
		case "invalid_api_key", "authentication_error", "permission_error":
			return batch.ErrAuthentication, false
		case "invalid_request_error":
			return batch.ErrInvalidRequest, false
		}
	}
	return batch.ErrServer, true
}

func fromAPIError(api *openai.APIError, header http.Header) *Error {
	body := providerError{message: api.Message, kind: api.Type}
	switch code := api.Code.(type) {
	case string:
		body.code = code
	case int:
		body.setStatus(code)
	case float64:
		body.setStatus(int(code))
	}
	if api.Param != nil {
		body.param = *api.Param
	}
	if api.InnerError != nil {
		body.inner = api.InnerError.Code
	}
	status := api.HTTPStatusCode
	if status == 0 {
		status = http.StatusOK
	}
	e := newAPIError(status, header, body, time.Now())
	e.Status = api.HTTPStatusCode
	e.Err = &apiError{text: e.Err.Error(), api: api}
	return e
}

func fromRequestError(request *openai.RequestError, header http.Header) *Error {
	body, ok := parseErrorBody(request.Body)
	if !ok {
		body.message = readable(request.Body)
	}
	return newAPIError(request.HTTPStatusCode, header, body, time.Now())
}
