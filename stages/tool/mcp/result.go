package mcp

import (
	"encoding/json"
	"fmt"
	"strings"

	sdk "github.com/modelcontextprotocol/go-sdk/mcp"
)

// noOutput stands for a result without content: many models take an empty answer for a failure, and call again.
const noOutput = "(no output)"

// resultText turns what a tool returned into text that a model can read.
func resultText(r *sdk.CallToolResult) string {
	parts := make([]string, 0, len(r.Content)+1)
	readable := false
	for _, content := range r.Content {
		if text, ok := content.(*sdk.TextContent); ok {
			readable = readable || text.Text != ""
		}
		if part := contentText(content); part != "" {
			parts = append(parts, part)
		}
	}
	// Servers repeat what is structured as text, for clients like this one. Where one doesn't, it is the answer.
	if r.StructuredContent != nil && !readable {
		if data, err := json.Marshal(r.StructuredContent); err == nil {
			parts = append([]string{string(data)}, parts...)
		}
	}
	if len(parts) == 0 {
		return noOutput
	}
	return strings.ToValidUTF8(strings.Join(parts, "\n"), "\uFFFD")
}

func contentText(content sdk.Content) string {
	switch c := content.(type) {
	case *sdk.TextContent:
		return c.Text
	case *sdk.ImageContent:
		return unshown("image", c.MIMEType, len(c.Data))
	case *sdk.AudioContent:
		return unshown("audio", c.MIMEType, len(c.Data))
	case *sdk.ResourceLink:
		return linkText(c)
	case *sdk.EmbeddedResource:
		return resourceText(c.Resource)
	}
	return "[content of a kind that can't be shown here]"
}

func unshown(kind, mimeType string, size int) string {
	if mimeType == "" {
		mimeType = "unknown type"
	}
	return fmt.Sprintf("[%s: %s, %s; it can't be shown here]", kind, mimeType, bytesText(int64(size)))
}

func resourceText(r *sdk.ResourceContents) string {
	switch {
	case r == nil:
		return ""
	case r.Blob != nil:
		return unshown("resource "+r.URI, r.MIMEType, len(r.Blob))
	}
	return fmt.Sprintf("[resource %s]\n%s", r.URI, r.Text)
}

func linkText(l *sdk.ResourceLink) string {
	parts := []string{"[link to " + l.URI}
	for _, detail := range []string{l.Name, l.Description, l.MIMEType} {
		if detail != "" {
			parts = append(parts, detail)
		}
	}
	if l.Size != nil {
		parts = append(parts, bytesText(*l.Size))
	}
	return strings.Join(parts, "; ") + "]"
}

// bytesText writes a size as people do.
func bytesText(n int64) string {
	switch {
	case n >= 1<<20:
		return fmt.Sprintf("%.1f MiB", float64(n)/(1<<20))
	case n >= 1<<10:
		return fmt.Sprintf("%.1f KiB", float64(n)/(1<<10))
	case n == 1:
		return "1 byte"
	}
	return fmt.Sprintf("%d bytes", n)
}
