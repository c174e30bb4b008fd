package llm

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"time"

	"github.com/sashabaranov/go-openai"

	"github.com/gluepipe/gluepipe/stages/batch"
)

// openAIEmbeddings makes a call for embeddings through a client of go-openai, which sends all params as they are.
func openAIEmbeddings(ctx context.Context, client *openai.Client, call *Call) (*Answer, error) {
	req, err := openAIEmbeddingRequest(call)
	if err != nil {
		return nil, &Error{Kind: batch.ErrInvalidRequest, Header: noHeader, Err: err}
	}
	resp, err := client.CreateEmbeddings(ctx, req)
	if err != nil {
		return nil, openAIError(ctx, resp.Header(), err)
	}
	data := make([]wireEmbedding, len(resp.Data))
	for i := range resp.Data {
		data[i] = wireEmbedding{Index: &resp.Data[i].Index, Embedding: resp.Data[i].Embedding}
	}
	usage := openAIUsage(resp.Usage)
	embeddings, err := inOrder(data, CountInputs(call.Input))
	if err != nil {
		e := answerError(batch.ErrServer, true, "200 OK: %w", err)
		e.Status, e.RequestID, e.Usage = http.StatusOK, requestID(resp.Header()), usage
		e.Header = readHeader(resp.Header(), time.Now())
		return nil, e
	}
	return &Answer{
		Embeddings: embeddings, Model: string(resp.Model), Usage: usage, Header: readHeader(resp.Header(), time.Now()),
	}, nil
}

func openAIEmbeddingRequest(call *Call) (openai.EmbeddingRequest, error) {
	var req openai.EmbeddingRequest
	if _, err := AppendBody(nil, call); err != nil { // for what it refuses
		return req, fmt.Errorf("writing the request: %w", err)
	}
	_, model := SplitModel(call.Model)
	req.Model, req.Input, req.ExtraBody = openai.EmbeddingModel(model), call.Input, call.Params
	// How the answer is to be read is the one param that go-openai looks at.
	if format, err := json.Marshal(call.Params["encoding_format"]); err == nil && string(format) == `"base64"` {
		req.EncodingFormat = openai.EmbeddingEncodingFormatBase64
	}
	return req, nil
}

func openAIUsage(u openai.Usage) *batch.TokenUsage {
	if u.TotalTokens == 0 && u.PromptTokens == 0 && u.CompletionTokens == 0 {
		return nil
	}
	return (&wireUsage{
		Prompt: count(u.PromptTokens), Completion: count(u.CompletionTokens), Total: count(u.TotalTokens),
	}).tokens()
}
