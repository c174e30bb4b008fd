package batch

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
)

// fingerprintVersion changes when the same request would get another fingerprint than before.
const fingerprintVersion = "v1:"

// Fingerprint tells whether two effective requests would ask the model the same: model, chat or input, tools, whether they are
// executed, response format and params count; the id, metadata, timeouts and limits don't. The order of params doesn't
// count; the order of keys inside a schema does, because models follow it. It fails only where the request can't be
// encoded.
func Fingerprint(effective *Request) (string, error) {
	r := Request{
		Model: effective.Model, Messages: effective.Messages, ResponseFormat: effective.ResponseFormat, Params: effective.Params,
		Input: effective.Input,
	}
	if effective.Messages == nil { // not resolved: its prompts still tell it from others
		r.UserMessage, r.SystemPrompt = effective.UserMessage, effective.SystemPrompt
	}
	if execute := effective.ExecuteTools; execute != nil && !*execute { // nil means true
		r.ExecuteTools = execute
	}
	dst, err := r.appendJSON(make([]byte, 0, 512))
	if err != nil {
		return "", err
	}
	for i := range effective.Tools {
		if dst, err = effective.Tools[i].AppendDefinition(dst); err != nil {
			return "", err
		}
	}
	return fingerprint(dst), nil
}

// FingerprintRecord tells whether two records that can't be read are the same, but for the space around them.
func FingerprintRecord(raw []byte) string { return fingerprint(bytes.TrimSpace(raw)) }

func fingerprint(data []byte) string {
	sum := sha256.Sum256(data)
	text := make([]byte, 0, len(fingerprintVersion)+32)
	text = append(text, fingerprintVersion...)
	return string(hex.AppendEncode(text, sum[:16]))
}
