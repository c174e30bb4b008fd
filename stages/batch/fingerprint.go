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
	dst, err := r.appendJSON(make([]byte, 0, r.sizeHint()))
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
	var room [len(fingerprintVersion) + 32]byte
	return string(hex.AppendEncode(append(room[:0], fingerprintVersion...), sum[:16]))
}

// sizeHint is about the length of what a fingerprint is made of.
func (r *Request) sizeHint() int {
	n := 256 + len(r.UserMessage) + len(r.SystemPrompt) + len(r.Input) + len(r.ResponseFormat) + 32*len(r.Params)
	for i := range r.Messages {
		n += 64 + len(r.Messages[i].Content) + 128*len(r.Messages[i].ToolCalls)
	}
	return n
}
