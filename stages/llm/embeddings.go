package llm

import (
	"bytes"
	"encoding/json"
	"errors"

	"github.com/gluepipe/gluepipe/stages/batch"
)

// CountInputs returns how many embeddings the JSON of an input asks for: one for a text or a list of tokens, else one for
// each element of a list. It is 0 where the input is empty, or neither a text nor a list.
func CountInputs(input json.RawMessage) int {
	input = bytes.TrimSpace(input)
	if len(input) == 0 {
		return 0
	}
	switch input[0] {
	case '"':
		if string(input) == `""` {
			return 0
		}
		return 1
	case '[':
		var elements []json.RawMessage
		if json.Unmarshal(input, &elements) != nil || len(elements) == 0 {
			return 0
		}
		if numeric(elements[0][0]) {
			return 1
		}
		return len(elements)
	}
	return 0
}

// wireEmbeddings is what is read of an answer with embeddings.
type wireEmbeddings struct {
	Model string          `json:"model"`
	Data  []wireEmbedding `json:"data"`
	Usage *wireUsage      `json:"usage"`
	Error json.RawMessage `json:"error"`
}

type wireEmbedding struct {
	Index     *int   `json:"index"`
	Embedding vector `json:"embedding"`
}

// decodeEmbeddings reads the body of an answer with a good status to a call for embeddings.
func (c *Client) decodeEmbeddings(call *Call, status string, body []byte) (*Answer, *Error) {
	const what = "list of embeddings"
	var wire wireEmbeddings
	err := json.Unmarshal(body, &wire)
	_, mistyped := errors.AsType[*json.UnmarshalTypeError](err)
	if err != nil && !mistyped && !errors.Is(err, errNoVector) {
		return nil, c.broken(what, status, body, err)
	}
	rest := &wireAnswer{Model: wire.Model, Usage: wire.Usage, Error: wire.Error}
	if len(wire.Data) == 0 || !isBlank(wire.Error) {
		if inside := c.errorInside(rest, body); inside != nil {
			return nil, inside
		}
	}
	switch {
	case errors.Is(err, errNoVector):
		return nil, rest.fail(batch.ErrServer, true, "%s: %w", status, errNoVector)
	case mistyped && len(wire.Data) == 0:
		return nil, c.broken(what, status, body, err)
	}
	embeddings, err := inOrder(wire.Data, CountInputs(call.Input))
	if err != nil {
		return nil, rest.fail(batch.ErrServer, true, "%s: %w", status, err)
	}
	return &Answer{
		Embeddings: embeddings, Model: clip(wire.Model, maxNameBytes), Usage: wire.Usage.tokens(), CostUSD: wire.Usage.cost(),
	}, nil
}

// inOrder puts n embeddings into the order of their inputs, which their indices tell. Where a server gives none, they are in
// order already.
func inOrder(data []wireEmbedding, n int) ([][]float32, error) {
	if len(data) == 0 {
		return nil, errors.New("the answer has no embeddings")
	}
	if len(data) != n {
		return nil, errors.New("the answer has another number of embeddings than there are inputs")
	}
	embeddings := make([][]float32, n)
	for i, d := range data {
		if d.Index != nil {
			i = *d.Index
		}
		switch {
		case i < 0 || i >= n || embeddings[i] != nil:
			return nil, errors.New("the answer's embeddings are numbered wrong")
		case len(d.Embedding) == 0:
			return nil, errors.New("the answer has an embedding without numbers")
		}
		embeddings[i] = d.Embedding
	}
	return embeddings, nil
}
