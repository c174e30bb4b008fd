package mcp

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	sdk "github.com/modelcontextprotocol/go-sdk/mcp"
	"go.uber.org/zap"
)

// remote is a tool as its server describes it.
type remote struct {
	name, description     string
	parameters            json.RawMessage
	readOnly, destructive bool
}

// A server that lists more is broken, or means harm: no model could choose among them.
const maxTools, maxPages, maxListing = 5000, 1000, 32 << 20 // tools, pages, and bytes of them all

// list asks a server for its tools, page by page.
func (s *session) list(ctx context.Context) ([]*sdk.Tool, error) {
	if c := s.client.InitializeResult().Capabilities; c == nil || c.Tools == nil {
		return nil, nil
	}
	var tools []*sdk.Tool
	size, cursor := 0, ""
	seen := map[string]bool{cursor: true}
	for {
		page, err := s.client.ListTools(ctx, &sdk.ListToolsParams{Cursor: cursor})
		if err != nil {
			return nil, err
		}
		text, err := json.Marshal(page.Tools)
		if err != nil {
			return nil, err
		}
		size += len(text)
		tools = append(tools, page.Tools...)
		cursor = page.NextCursor
		switch {
		case len(tools) > maxTools:
			return nil, fmt.Errorf("there are more than %d", maxTools)
		case size > maxListing:
			return nil, fmt.Errorf("they take more than %s", bytesText(maxListing))
		case cursor == "":
			return tools, nil
		case seen[cursor]:
			return nil, errors.New("a page points back to one before it")
		case len(seen) >= maxPages:
			return nil, fmt.Errorf("there are more than %d pages", maxPages)
		}
		seen[cursor] = true
	}
}

// learn takes over what a server lists, but for tools that no model could call.
func (h *host) learn(tools []*sdk.Tool) {
	catalog := make([]remote, 0, len(tools))
	known := make(map[string]bool, len(tools))
	for _, t := range tools {
		r, err := newRemote(t)
		if err == nil && known[t.Name] {
			err = errors.New("the server lists it twice")
		}
		if err != nil {
			h.config.Logger.Warn("an MCP tool is left out", zap.String("server", h.config.Name), zap.String("tool", t.Name), zap.Error(err))
			continue
		}
		known[t.Name] = true
		catalog = append(catalog, r)
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	h.catalog = catalog
}

func newRemote(t *sdk.Tool) (remote, error) {
	if t.Name == "" {
		return remote{}, errors.New("it has no name")
	}
	parameters, err := objectSchema(t.InputSchema)
	if err != nil {
		return remote{}, err
	}
	r := remote{name: t.Name, description: strings.ToValidUTF8(t.Description, "\uFFFD"), parameters: parameters, destructive: true}
	if a := t.Annotations; a != nil {
		r.readOnly = a.ReadOnlyHint
		r.destructive = !a.ReadOnlyHint && (a.DestructiveHint == nil || *a.DestructiveHint)
	}
	return r, nil
}

// objectSchema returns a schema as models take it, which want to see its type and properties.
func objectSchema(schema any) (json.RawMessage, error) {
	members, ok := schema.(map[string]any)
	if !ok {
		return nil, errors.New("its input schema is not an object's")
	}
	if kind, ok := members["type"]; !ok {
		members["type"] = "object"
	} else if kind != "object" {
		return nil, fmt.Errorf(`its input schema is not of type "object", but %v`, kind)
	}
	if _, ok := members["properties"].(map[string]any); !ok {
		members["properties"] = map[string]any{}
	}
	return json.Marshal(members)
}

func (h *host) remotes() []remote {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.catalog
}

// remote returns the tool as the server lists it now.
func (h *host) remote(name string) (remote, bool) {
	for _, r := range h.remotes() {
		if r.name == name {
			return r, true
		}
	}
	return remote{}, false
}
