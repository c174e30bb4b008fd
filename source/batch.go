package source

import (
	"bytes"
	"context"
	"encoding/json"
	"io"

	"github.com/gluepipe/gluepipe/stages/batch"
)

// BatchOptions say how OpenAI batch files are read.
type BatchOptions struct {
	// Provider is the provider that the models of the bodies are of: a request's model becomes "provider:model", so that a
	// model's name with a colon isn't taken for another provider. The default, "", leaves the model as it stands.
	Provider string
	// OverrideModel takes the place of the model of every body. It is given as "provider:model". The default, "", replaces
	// none.
	OverrideModel string
	// MaxLineBytes is the length of the longest line that is read; see [JSONLReader.MaxLineBytes].
	MaxLineBytes int
}

// BatchReader is a source that reads OpenAI batch files, a request a line:
//
//	{"custom_id": "r1", "method": "POST", "url": "/v1/chat/completions", "body": {"model": "m", "messages": [...]}}
//
// The custom_id becomes the request's id, and is line-<n> where it is left out. Of a body, model, messages, tools and
// response_format become the request's own; what else it has becomes its params and is sent as it was written: zeros, nulls
// and unknown fields too. A body without a model gets the run's. An empty list of tools means none, whatever tools the run
// has. Bodies for /v1/embeddings have input instead of messages. The url says only which of the two a body is, and may be
// left out for messages: where requests are sent is the run's affair. Other fields of a line are ignored.
//
// A line that can't be sent as it is meant is yielded as an item that has failed with [batch.ErrInvalidRequest] and says
// where: bad JSON, another method or url, a body without messages, one that asks for a stream. Its id is the line's where
// it has one. What [JSONLReader] says of lines, of errors and of memory holds here, too.
type BatchReader struct {
	options BatchOptions
	lines   *jsonLines
}

// Batch returns a source that reads r, and never closes it.
func Batch(r io.Reader, options BatchOptions) *BatchReader {
	return &BatchReader{options: options, lines: newJSONLines(r)}
}

// OpenBatch returns a source that reads the file at path, as [Open] does, and closes it at Close. Its errors name the path.
func OpenBatch(path string, options BatchOptions) (*BatchReader, error) {
	lines, err := openJSONLines(path)
	if err != nil {
		return nil, err
	}
	return &BatchReader{options: options, lines: lines}, nil
}

// Next returns the item of the next line that isn't blank, or io.EOF.
func (b *BatchReader) Next(ctx context.Context) (*batch.Item, error) {
	return b.lines.item(ctx, b.options.MaxLineBytes, b.options.read)
}

// Close closes the file that OpenBatch opened. It may be called while Next blocks.
func (b *BatchReader) Close() error { return b.lines.close() }

// IsBatchLine tells whether a line is a request of an OpenAI batch file rather than one of gluepipe's own: an object with a
// body, and a custom_id or a url. A line that is cut off, such as one with an image, is told by what there is of it.
func IsBatchLine(line []byte) bool {
	dec := json.NewDecoder(bytes.NewReader(line))
	if begin, err := dec.Token(); err != nil || begin != json.Delim('{') {
		return false
	}
	var body, named bool
	for dec.More() && (!body || !named) {
		name, err := dec.Token()
		if err != nil {
			return false
		}
		body = body || name == "body"
		named = named || name == "custom_id" || name == "url"
		var value json.RawMessage
		if dec.Decode(&value) != nil {
			break
		}
	}
	return body && named
}
