package main

import (
	"errors"
	"fmt"
	"net/http"
	"slices"
	"time"

	"go.yaml.in/yaml/v3"

	"github.com/gluepipe/gluepipe/stages/tool/command"
	"github.com/gluepipe/gluepipe/stages/tool/httptool"
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
		if slices.ContainsFunc(d.tools, func(t *customTool) bool { return t.Name == defined.Name }) {
			return fmt.Errorf("line %d: tool %d: %q is there twice", node.Line, i+1, defined.Name)
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

// names are those of the tools that are defined. d may be nil.
func (d *definitions) names() (names []string) {
	if d != nil {
		for _, t := range d.tools {
			names = append(names, t.Name)
		}
	}
	return names
}
