// Package data holds the files that the examples and the README's commands read.
package data

import _ "embed"

// MCP is mcp.jsonl: requests for the tools of the server in examples/mcp.
//
//go:embed mcp.jsonl
var MCP []byte
