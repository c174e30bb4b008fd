package main

import (
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"time"

	"go.yaml.in/yaml/v3"

	"github.com/gluepipe/gluepipe/stages/tool/command"
	"github.com/gluepipe/gluepipe/stages/tool/httptool"
	"github.com/gluepipe/gluepipe/stages/tool/mcp"
)

// The keys of the configuration file that hold definitions. The first may be a list as well, like its flag.
const (
	serversKey     = "mcp"
	customToolsKey = "custom_tools"
)

// definitions are the servers and tools that a configuration file describes, with variables as they stand there.
type definitions struct {
	path    string
	servers map[string]*definedServer
	tools   []*customTool
}

// definedServer is an MCP server. Its command may be one text, to be split.
type definedServer struct {
	mcp.Server
	text string
}

// customTool is a tool that runs a program, or sends an HTTP request where it has a URL.
type customTool struct {
	command.Config
	http httptool.Config
}

// readDefinitions reads what a configuration file defines. Its errors name the line.
func readDefinitions(path string, data []byte) (*definitions, error) {
	var file struct {
		Servers yaml.Node `yaml:"mcp"`
		Tools   yaml.Node `yaml:"custom_tools"`
	}
	if err := yaml.Unmarshal(data, &file); err != nil {
		return nil, usagef("%s: %w", path, err)
	}
	d := &definitions{path: path, servers: map[string]*definedServer{}}
	if servers := target(&file.Servers); servers.Kind == yaml.MappingNode {
		if err := eachMember(servers, d.readServer); err != nil {
			return nil, usagef("%s: %s: %w", path, serversKey, err)
		}
	}
	if tools := target(&file.Tools); !isNull(tools) {
		if err := d.readTools(tools); err != nil {
			return nil, usagef("%s: %s: %w", path, customToolsKey, err)
		}
	}
	return d, nil
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
	if isURL(text) {
		s.URL = text
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
	filled, err := s.Server, error(nil)
	if u, parseErr := url.Parse(s.URL); parseErr == nil && u.User != nil {
		return filled, errors.New("want a URL without a user and a password: " +
			"give an Authorization header to a server in the configuration file")
	}
	if s.text != "" || len(s.Command) == 0 && s.URL == "" {
		filled.Command, err = v.split(s.text)
		filled.Command = append(filled.Command, s.Command...) // the args come after it
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

func (d *definitions) readTools(list *yaml.Node) error {
	if list.Kind != yaml.SequenceNode {
		return errors.New("want a list of tools")
	}
	for i, node := range list.Content {
		defined, err := readTool(target(node))
		if err != nil {
			if inner, ok := errors.AsType[*keyError](err); ok {
				return inner
			}
			return fmt.Errorf("line %d: tool %d: %w", node.Line, i+1, err)
		}
		d.tools = append(d.tools, defined)
	}
	return nil
}

func readTool(node *yaml.Node) (*customTool, error) {
	t := &customTool{}
	var timeout time.Duration
	err := readMembers(node, map[string]nodeReader{
		"name":           set(textValue{to: &t.Name}),
		"description":    set(textValue{to: &t.Description}),
		"parameters":     jsonOf(&t.Parameters),
		"command":        texts(&t.Command),
		"env":            environment(&t.Env),
		"dir":            set(textValue{to: &t.Dir}),
		"url":            set(textValue{to: &t.http.URL}),
		"method":         set(textValue{to: &t.http.Method}),
		"headers":        headers(&t.http.Header),
		"allow_private":  set(boolValue{&t.http.AllowPrivate}),
		"timeout":        set(durationValue{&timeout}),
		"max_output":     set(sizeValue{&t.MaxOutput}),
		"max_concurrent": set(countValue{&t.MaxConcurrent, 1}),
		"read_only":      set(boolValue{&t.ReadOnly}),
		"destructive":    set(boolValue{&t.Destructive}),
	})
	isHTTP := t.http.URL != ""
	switch {
	case err != nil:
		return nil, err
	case t.Name == "":
		return nil, errors.New("want a name")
	case isHTTP == (len(t.Command) > 0):
		return nil, fmt.Errorf("%s: want a command or a url", t.Name)
	case isHTTP && (t.Env != nil || t.Dir != ""):
		return nil, fmt.Errorf("%s: env and dir are for commands", t.Name)
	case !isHTTP && (t.http.Header != nil || t.http.Method != "" || t.http.AllowPrivate):
		return nil, fmt.Errorf("%s: method, headers and allow_private are for a url", t.Name)
	case t.ReadOnly && t.Destructive:
		return nil, fmt.Errorf("%s: read_only and destructive: want one of the two", t.Name)
	}
	t.Timeout = timeout
	t.http.Name, t.http.Description, t.http.Parameters = t.Name, t.Description, t.Parameters
	t.http.Timeout, t.http.MaxOutput, t.http.MaxConcurrent = timeout, t.MaxOutput, t.MaxConcurrent
	t.http.ReadOnly, t.http.Destructive = t.ReadOnly, t.Destructive
	return t, nil
}

// environment reads variables of a program: a list of names, which are handed on, or a mapping of names to values.
func environment(to *[]string) nodeReader {
	return func(node *yaml.Node) error {
		*to = []string{}
		if node.Kind == yaml.SequenceNode {
			return texts(to)(node)
		}
		return eachMember(node, func(name string, value *yaml.Node) error {
			if value.Kind != yaml.ScalarNode {
				return errors.New("want one value")
			}
			*to = append(*to, name+"="+value.Value)
			return nil
		})
	}
}

func headers(to *http.Header) nodeReader {
	return func(node *yaml.Node) error {
		*to = http.Header{}
		return eachMember(node, func(name string, value *yaml.Node) error {
			if value.Kind != yaml.ScalarNode {
				return errors.New("want one value")
			}
			to.Add(name, value.Value)
			return nil
		})
	}
}
