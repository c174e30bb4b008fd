package mcp

import (
	"cmp"
	"context"
	"fmt"
	"slices"

	"github.com/sourcegraph/conc/pool"

	"github.com/gluepipe/gluepipe/stages/batch"
)

// Servers are MCP servers that run, or will again when they are called. Its methods are safe for concurrent use. Close it.
type Servers struct {
	hosts []*host // in the order of Connect's arguments
	stop  context.CancelFunc
}

// Connect starts the servers, or connects to them, all side by side, and lists their tools. It returns when all are ready.
// Where one is not, all are ended, and the error names that one and says why. ctx bounds connecting only: the servers live
// until Close.
func Connect(ctx context.Context, servers ...Server) (*Servers, error) {
	hosts, err := newHosts(servers)
	if err != nil {
		return nil, err
	}
	connecting := pool.New().WithContext(ctx).WithCancelOnError().WithFirstError()
	sessions := make([]*session, len(hosts))
	for i, h := range hosts {
		connecting.Go(func(ctx context.Context) (err error) {
			if sessions[i], err = h.open(ctx); err != nil {
				return fmt.Errorf("%s: %w", h.config.label(i), err)
			}
			return nil
		})
	}
	err = connecting.Wait()
	nameInProcess(hosts, sessions)
	s := &Servers{hosts: hosts}
	life, stop := context.WithCancel(context.WithoutCancel(ctx))
	s.stop = stop
	if err != nil {
		stop()
	}
	for i, h := range hosts {
		go h.run(life, sessions[i])
	}
	if err != nil {
		_ = s.Close(ctx) // it has no error but ctx's
		return nil, err
	}
	return s, nil
}

// newHosts checks the servers and gives a name to each that can be named before it is connected to.
func newHosts(servers []Server) ([]*host, error) {
	taken := make(map[string]bool)
	for i := range servers {
		s := &servers[i]
		if err := s.validate(); err != nil {
			return nil, fmt.Errorf("%s: %w", s.label(i), err)
		}
		if s.Name != "" && taken[s.Name] {
			return nil, fmt.Errorf("two MCP servers are named %q", s.Name)
		}
		taken[s.Name] = true
	}
	hosts := make([]*host, len(servers))
	for i := range servers {
		hosts[i] = newHost(servers[i].withDefaults())
		if in := servers[i].InProcess; in != nil {
			in.AddReceivingMiddleware(recovering(hosts[i].config.Logger))
		}
		if config := &hosts[i].config; config.Name == "" && config.InProcess == nil {
			config.Name = freeName(defaultName(config), taken)
			taken[config.Name] = true
		}
	}
	return hosts, nil
}

// nameInProcess names the servers that only they themselves can: a session says what its server calls itself.
func nameInProcess(hosts []*host, sessions []*session) {
	taken := make(map[string]bool)
	for _, h := range hosts {
		taken[h.config.Name] = true
	}
	for i, h := range hosts {
		if h.config.Name == "" && sessions[i] != nil {
			h.config.Name = freeName(cmp.Or(serverName(sessions[i].implementation()), "in-process"), taken)
			taken[h.config.Name] = true
		}
	}
}

// Tools returns the servers' tools as they are now: in the order of Connect's arguments, then in the server's. The slice is
// the caller's. taken are the names that other tools have.
//
// A name that models don't take (longer than 64 bytes, with dots or slashes) is changed to one that they do. Tools of
// different servers that would have the same name, or one that is taken, have their server's name before it instead:
// files_search and web_search. The same servers give the same names in every run.
//
// A run keeps the tools that it was given: one that its server has no longer answers with an error, and one that was
// read-only and is no longer is refused. What a server says of its tools, ReadOnly and Destructive too, is only as good as
// the server.
func (s *Servers) Tools(taken ...string) []batch.Tool {
	var tools []batch.Tool
	for _, h := range s.hosts {
		for _, r := range h.remotes() {
			tools = append(tools, h.tool(r))
		}
	}
	names := toolNames(tools, taken)
	for i := range tools {
		tools[i].Name = names[i]
	}
	return slices.DeleteFunc(tools, func(t batch.Tool) bool { return t.Name == "" })
}

// Close ends all servers: calls in flight are cancelled, connections closed, programs ended in good order. When ctx ends,
// programs that haven't ended yet are killed, and the error says so. Close returns when nothing of the servers is left.
// Calls after it answer with an error. A second Close waits for the first.
func (s *Servers) Close(ctx context.Context) error {
	s.stop()
	var err error
	for _, h := range s.hosts {
		select {
		case <-h.done:
			continue
		case <-ctx.Done():
			err = fmt.Errorf("closing MCP servers: %w", context.Cause(ctx))
		}
		for _, h := range s.hosts {
			h.kill()
		}
		<-h.done
	}
	return err
}
