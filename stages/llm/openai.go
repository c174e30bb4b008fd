package llm

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"time"

	"github.com/sashabaranov/go-openai"

	"github.com/gluepipe/gluepipe/stages/batch"
)

// OpenAI returns a Completer that calls through client, for who has one set up already. Use [NewClient] where you can,
// since go-openai carries less than the API does:
//
//   - Zeros, false and empty texts are left out of the body (temperature 0, logprobs false, a tool's answer ""), a stop
//     that is a text and fields that go-openai doesn't know can't be sent at all. A call that would lose something that way
//     fails with [batch.ErrInvalidRequest], which names it; nothing is dropped in silence. What changes nothing may go:
//     nulls, an empty list, strict: false. A model's tool call without arguments is sent back with "{}".
//   - go-openai refuses some params by the model's name (max_tokens for gpt-5 and o-models); that is ErrInvalidRequest too.
//   - A call for embeddings loses nothing on its way; of its answer an encoding_format of base64 is read, too.
//   - Of the answer, unknown fields of the message, the cost and the raw bytes are lost: Call.KeepRaw has no effect. A 200
//     with an error inside is a [batch.ErrServer] about an answer without choices.
//   - The client keeps its key to itself, so that it can't be taken out of an error in which the server repeats it.
//   - Nothing bounds the size of an answer, and a status whose body breaks off is lost: that is a broken connection.
//   - Redirects, connections and proxies are the client's. With net/http's default transport it keeps two idle
//     connections: give it one from [NewTransport].
//
// The client's timeouts are its own; ctx ends a call as ever.
func OpenAI(client *openai.Client) Completer {
	if client == nil {
		panic("gluepipe: OpenAI needs a client")
	}
	return CompleterFunc(func(ctx context.Context, call *Call) (*Answer, error) {
		if call.Input != nil {
			return openAIEmbeddings(ctx, client, call)
		}
		req, err := openAIRequest(call)
		if err != nil {
			return nil, &Error{Kind: batch.ErrInvalidRequest, Header: noHeader, Err: err}
		}
		resp, err := client.CreateChatCompletion(ctx, req)
		if err != nil {
			return nil, openAIError(ctx, resp.Header(), err)
		}
		return openAIAnswer(&resp)
	})
}

// openAIError adds the headers to go-openai's errors, which come without.
func openAIError(ctx context.Context, header http.Header, err error) *Error {
	var api *openai.APIError
	var request *openai.RequestError
	switch {
	case ctx.Err() != nil:
		return contextError(ctx)
	case errors.As(err, &request): // first: there may be an empty APIError inside
		return fromRequestError(request, header)
	case errors.As(err, &api):
		return fromAPIError(api, header)
	case errors.Is(err, openai.ErrChatCompletionInvalidModel):
		return &Error{Kind: batch.ErrInvalidRequest, Header: noHeader, Err: err}
	}
	e := Classify(ctx, err)
	if e.Kind == batch.ErrServer && batch.KindOf(err) == "" && !cameWhole(err) {
		e.Kind = batch.ErrAPIConnection // whatever broke did so on the way
	}
	e.RequestID, e.Header = requestID(header), readHeader(header, time.Now())
	return e
}

// cameWhole tells an answer that is none from one that broke on the way.
func cameWhole(err error) bool {
	var (
		syntax   *json.SyntaxError
		mistyped *json.UnmarshalTypeError
	)
	return errors.As(err, &syntax) || errors.As(err, &mistyped) || errors.Is(err, io.EOF)
}

func openAIAnswer(resp *openai.ChatCompletionResponse) (*Answer, error) {
	usage := openAIUsage(resp.Usage)
	limits := readHeader(resp.Header(), time.Now())
	fail := func(kind batch.ErrorKind, retryable bool, text string) error {
		e := answerError(kind, retryable, "%s", text)
		e.Status, e.RequestID, e.Usage, e.Header = http.StatusOK, requestID(resp.Header()), usage, limits
		return e
	}
	if len(resp.Choices) == 0 {
		return nil, fail(batch.ErrServer, true, "200 OK: the answer has no choices")
	}
	choice := &resp.Choices[0]
	message := openAIMessage(&choice.Message)
	switch {
	case choice.FinishReason == openai.FinishReasonContentFilter:
		return nil, fail(batch.ErrContentFilter, false, "the provider filtered the answer (finish_reason content_filter)")
	// go-openai reads null and "" alike.
	case isNull(message.Content) && choice.Message.Refusal == "" && len(message.ToolCalls) == 0 &&
		choice.Message.FunctionCall == nil && choice.FinishReason != openai.FinishReasonLength:
		return nil, fail(batch.ErrServer, true, "200 OK: the answer has no content")
	}
	return &Answer{
		Message: message, Text: message.Text(), Refusal: choice.Message.Refusal, FinishReason: string(choice.FinishReason),
		Model: resp.Model, Usage: usage, Header: limits,
	}, nil
}
