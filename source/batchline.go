package source

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"strings"

	"github.com/gluepipe/gluepipe/stages/batch"
)

// read makes a request of a line of an OpenAI batch file.
func (o *BatchOptions) read(r *batch.Request, line []byte) error {
	members, err := readMembers(line)
	if err != nil {
		return err
	}
	if err := readText(members, "custom_id", &r.ID); err != nil {
		return err
	}
	method := "POST"
	if err := readText(members, "method", &method); err != nil {
		return err
	}
	if !strings.EqualFold(method, "POST") {
		return fmt.Errorf(`field "method": want POST, got %q`, method)
	}
	chat, err := isChat(members)
	if err != nil {
		return err
	}
	if isNull(members["body"]) {
		return errors.New(`field "body" is missing`)
	}
	body, err := readMembers(bytes.Clone(members["body"])) // the line is the reader's
	if err == nil {
		err = o.readBody(r, body, chat)
	}
	if err != nil {
		return fmt.Errorf("field %q: %w", "body", err)
	}
	return nil
}

// isChat tells a body for chat completions from one for embeddings.
func isChat(members map[string]json.RawMessage) (bool, error) {
	given := "/chat/completions"
	if err := readText(members, "url", &given); err != nil {
		return false, err
	}
	if given == "/v1/chat/completions" { // as nearly all are
		return true, nil
	}
	path := given
	if parsed, err := url.Parse(given); err == nil {
		path = "/" + strings.Trim(parsed.Path, "/")
	}
	switch {
	case strings.HasSuffix(path, "/chat/completions"):
		return true, nil
	case strings.HasSuffix(path, "/embeddings"):
		return false, nil
	}
	return false, fmt.Errorf(`field "url": want /v1/chat/completions or /v1/embeddings, got %s`, excerpt(members["url"]))
}

// readBody takes over the fields that a request has, and leaves the others to its params.
func (o *BatchOptions) readBody(r *batch.Request, body map[string]json.RawMessage, chat bool) error {
	if string(body["stream"]) == "true" {
		return errors.New(`field "stream": answers are read whole: leave it out`)
	}
	if !isNull(body["stream_options"]) {
		return errors.New(`field "stream_options": answers are read whole: leave it out`)
	}
	if err := o.readModel(r, body); err != nil {
		return err
	}
	if chat {
		if err := readChat(r, body); err != nil {
			return err
		}
	} else {
		if isNull(body["input"]) {
			return errors.New(`field "input" is missing`)
		}
		r.Input = body["input"]
		delete(body, "input")
	}
	if len(body) > 0 {
		r.Params = make(map[string]any, len(body))
		for name, value := range body {
			r.Params[name] = value
		}
	}
	return nil
}

func (o *BatchOptions) readModel(r *batch.Request, body map[string]json.RawMessage) error {
	if err := readText(body, "model", &r.Model); err != nil {
		return err
	}
	delete(body, "model")
	switch {
	case o.OverrideModel != "":
		r.Model = o.OverrideModel
	case r.Model != "" && o.Provider != "":
		r.Model = o.Provider + ":" + r.Model
	}
	return nil
}

// readChat reads messages and tools as a request of gluepipe's own has them.
func readChat(r *batch.Request, body map[string]json.RawMessage) error {
	if isNull(body["messages"]) {
		return errors.New(`field "messages" is missing`)
	}
	own := append([]byte(`{"messages":`), body["messages"]...)
	if tools, ok := body["tools"]; ok {
		if isNull(tools) {
			tools = []byte("[]") // none: the run's are not meant
		}
		own = append(append(own, `,"tools":`...), tools...)
	}
	var chat batch.Request
	if err := chat.UnmarshalJSON(append(own, '}')); err != nil {
		return err
	}
	r.Messages, r.Tools, r.ResponseFormat = chat.Messages, chat.Tools, body["response_format"]
	for _, name := range []string{"messages", "tools", "response_format"} {
		delete(body, name)
	}
	return nil
}

// readMembers reads an object whose values stay as they were written. They may share its memory.
func readMembers(object json.RawMessage) (map[string]json.RawMessage, error) {
	found := make(map[string]json.RawMessage)
	if batch.Members(object, func(name, value []byte) bool {
		found[string(name)] = value
		return true
	}) {
		return found, nil
	}
	var members map[string]json.RawMessage
	err := json.Unmarshal(object, &members)
	if _, ok := errors.AsType[*json.SyntaxError](err); ok {
		return nil, err
	}
	if members == nil {
		return nil, fmt.Errorf("want a JSON object, got %s", excerpt(object))
	}
	return members, nil
}

// readText reads a member that is a text. One that is left out, or null, leaves text as it is.
func readText(members map[string]json.RawMessage, name string, text *string) error {
	raw := members[name]
	if n := len(raw); n >= 2 && raw[0] == '"' && bytes.IndexByte(raw, '\\') < 0 { // UTF-8, as all of the line
		*text = string(raw[1 : n-1])
		return nil
	}
	if !isNull(raw) && json.Unmarshal(raw, text) != nil {
		return fmt.Errorf("field %q: want a text, got %s", name, excerpt(raw))
	}
	return nil
}

// isNull tells whether a member is left out, or null.
func isNull(raw json.RawMessage) bool { return raw == nil || string(raw) == "null" }

// excerpt shortens JSON for an error message.
func excerpt(raw []byte) string {
	const limit = 60
	raw = bytes.TrimSpace(raw)
	if len(raw) <= limit {
		return string(raw)
	}
	return strings.ToValidUTF8(string(raw[:limit]), "") + "..."
}
