// Package mcp makes the tools of MCP servers (Model Context Protocol) tools of a run.
//
// [Connect] starts servers that are programs, connects to those that listen for streamable HTTP, and takes those in this
// process. [Servers.Tools] returns their tools, and [Servers.Close] ends them:
//
//	servers, err := mcp.Connect(ctx,
//		mcp.Server{Command: []string{"npx", "-y", "@modelcontextprotocol/server-everything"}},
//		mcp.Server{URL: "https://mcp.example.com/mcp", Header: header})
//	if err != nil {
//		return err
//	}
//	defer servers.Close(ctx)
//	config.Tools = servers.Tools()
//
// One session with each server is shared by all requests of all runs. Calls in flight are bounded for each server
// ([Server.MaxConcurrent]); more wait, which is no part of a call's timeout.
//
// What a server answers becomes text: the text of its content, or else its structured content as JSON. Images, audio and
// files that are not text are named with their type and size. A result marked as an error, an error of the protocol, and an
// answer that is too long or can't be read are the call's failure, which the model is told of. So is the end of a server
// during a call: whether the call took effect is not known then, and it is not repeated.
//
// A server that has ended (its program died, its connection is lost, it has forgotten the session) is started again by the
// next call, after a pause that grows, and given up after [Server.MaxRestarts] in a row; one at a URL for a minute, after
// which it is tried again. Calls wait for a start meanwhile, and so do those that the old session surely hasn't run. The other
// servers go on.
//
// A program gets an environment of its own ([Server.Env]): no API key that happens to be in this process's reaches it.
// Servers are offered nothing of the client's: no files (roots), no model (sampling), no questions to a user (elicitation).
package mcp
