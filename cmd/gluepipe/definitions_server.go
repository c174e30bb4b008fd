package main

import (
	"errors"
	"net/url"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/gluepipe/gluepipe/stages/tool/mcp"
)

// definedServer is an MCP server. Its command may be one text, to be split.
type definedServer struct {
	mcp.Server
	text string
}

func (d *definitions) readServer(name string, node *yaml.Node) error {
	server := &definedServer{Server: mcp.Server{Name: name}}
	d.servers[name] = server
	if node.Kind == yaml.ScalarNode { // as the flag has it
		server.set(node.Value)
		return nil
	}
	var args []string
	err := readMembers(node, map[string]nodeReader{
		"command":        server.readCommand,
		"args":           texts(&args),
		"env":            environment(&server.Env),
		"dir":            set(textValue{to: &server.Dir}),
		"url":            set(textValue{to: &server.URL}),
		"headers":        headers(&server.Header),
		"max_concurrent": set(countValue{&server.MaxConcurrent, 1}),
		"max_restarts":   server.readRestarts,
		"start_timeout":  set(durationValue{&server.StartTimeout}),
		"max_message":    set(sizeValue{&server.MaxMessage}),
	})
	server.Command = append(server.Command, args...)
	isCommand := len(server.Command) > 0 || server.text != ""
	switch {
	case err != nil:
		return err
	case isCommand == (server.URL != ""):
		return errors.New("want a command or a url")
	case server.URL != "" && (server.Env != nil || server.Dir != ""):
		return errors.New("env and dir are for commands")
	case server.URL == "" && server.Header != nil:
		return errors.New("headers are for a url")
	}
	return nil
}

// set takes a server as one text: its command or its URL.
func (s *definedServer) set(text string) {
	if address := strings.TrimSpace(text); anyScheme.MatchString(address) {
		s.URL = address
	} else {
		s.text = text
	}
}

// server returns the server that a text calls by its name, else the one that it says how to reach. d may be nil.
func (d *definitions) server(text string) *definedServer {
	if d != nil && d.servers[text] != nil {
		return d.servers[text]
	}
	server := &definedServer{}
	server.set(text)
	return server
}

// fill returns the server with its variables filled in.
func (s *definedServer) fill(v *variables) (mcp.Server, error) {
	filled := s.Server
	if u, err := url.Parse(s.URL); err == nil && u.User != nil {
		return filled, errors.New("want a URL without a user and a password: " +
			"give an Authorization header to a server in the configuration file")
	}
	if strings.ContainsAny(s.URL, " \t\n") {
		return filled, errors.New("want a URL alone: give headers to a server in the configuration file")
	}
	args, err := v.words(s.Command)
	if err != nil {
		return filled, err
	}
	filled.Command = args
	if s.text != "" || len(args) == 0 && s.URL == "" {
		filled.Command, err = v.split(s.text)
		filled.Command = append(filled.Command, args...)
	}
	if err == nil {
		filled.Env, err = v.environment(s.Env)
	}
	if err == nil {
		filled.URL, err = v.expand(s.URL)
	}
	if err == nil {
		filled.Header, err = v.header(s.Header)
	}
	return filled, err
}

// readRestarts reads a bound that is 0 for none, as elsewhere on the command line.
func (s *definedServer) readRestarts(node *yaml.Node) error {
	err := set(countValue{&s.MaxRestarts, 0})(node)
	s.MaxRestarts = zeroIsNone(s.MaxRestarts)
	return err
}

// readCommand reads a command: a list, or a text that is split.
func (s *definedServer) readCommand(node *yaml.Node) error {
	if node.Kind == yaml.ScalarNode {
		s.text = node.Value
		return nil
	}
	return texts(&s.Command)(node)
}
