package llmtest

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"math"
	"math/rand/v2"
	"slices"
	"strconv"

	"github.com/gluepipe/gluepipe/stages/internal/jsonappend"
)

const (
	defaultDimensions = 8
	maxDimensions     = 4096
	maxInputs         = 2048
)

// parseEmbeddings reads the body of a request for embeddings, as parseRequest does for a completion.
func parseEmbeddings(body []byte) (*Request, *Answer) {
	var wire struct {
		Model          string          `json:"model"`
		Input          json.RawMessage `json:"input"`
		Dimensions     int             `json:"dimensions"`
		EncodingFormat string          `json:"encoding_format"`
	}
	if err := json.Unmarshal(body, &wire); err != nil {
		return nil, unreadable(err)
	}
	inputs := readInputs(wire.Input)
	switch {
	case wire.Model == "":
		return nil, badRequest("missing_required_parameter", "model", "You must provide a model parameter.")
	case len(inputs) == 0 || len(inputs) > maxInputs:
		return nil, badRequest("", "input", "'$.input' is invalid.")
	case slices.Contains(inputs, ""):
		return nil, badRequest("", "input", "'$.input' is invalid: an input cannot be an empty string.")
	case wire.Dimensions < 0 || wire.Dimensions > maxDimensions:
		return nil, badRequest("invalid_value", "dimensions", "Invalid value for 'dimensions'.")
	}
	r := &Request{Model: wire.Model, Inputs: inputs, Body: body, dimensions: wire.Dimensions}
	r.base64 = wire.EncodingFormat == "base64"
	if r.dimensions == 0 {
		r.dimensions = defaultDimensions
	}
	return r, nil
}

// readInputs returns a text for each embedding that is asked for. Tokens are taken for the text of their JSON.
func readInputs(input json.RawMessage) []string {
	var text string
	if json.Unmarshal(input, &text) == nil {
		return []string{text}
	}
	var elements []json.RawMessage
	if json.Unmarshal(input, &elements) != nil || len(elements) == 0 {
		return nil
	}
	if first := elements[0][0]; first == '-' || first >= '0' && first <= '9' {
		return []string{string(input)}
	}
	texts := make([]string, len(elements))
	for i, element := range elements {
		if json.Unmarshal(element, &texts[i]) != nil {
			texts[i] = string(bytes.TrimSpace(element))
		}
	}
	return texts
}

// embedding is a vector of length 1 that the text alone decides.
func embedding(text string, dimensions int) []float32 {
	random := rand.New(rand.NewChaCha8(sha256.Sum256([]byte(text))))
	vector, square := make([]float64, dimensions), 0.0
	for i := range vector {
		vector[i] = random.NormFloat64()
		square += vector[i] * vector[i]
	}
	length := math.Sqrt(square)
	unit := make([]float32, dimensions)
	for i := range vector {
		unit[i] = float32(vector[i] / length)
	}
	return unit
}

func (a *Answer) embeddingsBody(r *Request) []byte {
	dst := []byte(`{"object":"list","data":[`)
	for i, text := range r.Inputs {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = strconv.AppendInt(append(dst, `{"object":"embedding","index":`...), int64(i), 10)
		dst = append(dst, `,"embedding":`...)
		dst = append(appendVector(dst, embedding(text, r.dimensions), r.base64), '}')
	}
	dst = jsonappend.String(append(dst, `],"model":`...), r.Model)
	prompt := int64(a.usage(r).Prompt)
	dst = strconv.AppendInt(append(dst, `,"usage":{"prompt_tokens":`...), prompt, 10)
	dst = strconv.AppendInt(append(dst, `,"total_tokens":`...), prompt, 10)
	return append(dst, "}}"...)
}

func appendVector(dst []byte, vector []float32, inBase64 bool) []byte {
	if inBase64 {
		raw := make([]byte, 0, 4*len(vector))
		for _, number := range vector {
			raw = binary.LittleEndian.AppendUint32(raw, math.Float32bits(number))
		}
		return append(base64.StdEncoding.AppendEncode(append(dst, '"'), raw), '"')
	}
	dst = append(dst, '[')
	for i, number := range vector {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = strconv.AppendFloat(dst, float64(number), 'g', -1, 32)
	}
	return append(dst, ']')
}
