package mcp

import (
	"cmp"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"time"

	sdk "github.com/modelcontextprotocol/go-sdk/mcp"
	"go.uber.org/zap"
)

// Server says how to reach one MCP server. Exactly one of Command, URL and InProcess is set. The zero value of every other
// field means its default.
type Server struct {
	// Name is the [batch.Tool.Server] of the server's tools, and the prefix of their names where those collide: 1 to 32
	// letters, digits, underscores and hyphens. No two servers have the same. The default is made from the command, from the
	// URL's host, or from what the server calls itself, and numbered where it is taken: "files-2".
	Name string

	// Command is a program and its arguments that speaks MCP on its standard input and output. It is not run by a shell.
	Command []string
	// Env is what the program's environment has beside a few variables such as PATH and HOME: "NAME" is taken over from this
	// process where it is set there, "NAME=value" is set. Nothing else of this process's environment reaches the program.
	Env []string
	// Dir is the program's working directory; "" is this process's.
	Dir string

	// URL is where a server listens for streamable HTTP: "https://example.com/mcp".
	URL string
	// Header is sent with every request to URL. It may hold secrets.
	Header http.Header

	// InProcess is a server in this process. It stays the caller's; Connect adds a middleware to it that makes a panic of a
	// tool that call's failure.
	InProcess *sdk.Server

	// MaxConcurrent bounds the calls in flight; more wait. The default is 16.
	MaxConcurrent int
	// MaxRestarts is how many times in a row the server is started again without having answered a call in between. The
	// default is 5; -1 is none. A server at a URL, which others run, is tried once more every minute after that.
	MaxRestarts int
	// StartTimeout bounds each start, until the server has listed its tools. The default is 1 minute: npx and uvx install the
	// server at first.
	StartTimeout time.Duration
	// MaxMessage bounds one message of the server, in bytes. A call whose answer is longer fails. The default is 16 MiB.
	MaxMessage int64

	// Logger is told of restarts and oddities, and at debug level what the server writes to its standard error. nil is silent.
	Logger *zap.Logger

	rest time.Duration // see MaxRestarts
}

const (
	defaultMaxConcurrent = 16
	defaultMaxRestarts   = 5
	defaultStartTimeout  = time.Minute
	defaultMaxMessage    = 16 << 20
	defaultRest          = time.Minute
)

// withDefaults returns the server with its defaults, but for a name: that depends on the other servers.
func (s Server) withDefaults() Server {
	s.MaxConcurrent = cmp.Or(s.MaxConcurrent, defaultMaxConcurrent)
	s.MaxRestarts = cmp.Or(s.MaxRestarts, defaultMaxRestarts)
	s.StartTimeout = cmp.Or(s.StartTimeout, defaultStartTimeout)
	s.MaxMessage = cmp.Or(s.MaxMessage, defaultMaxMessage)
	s.rest = cmp.Or(s.rest, defaultRest)
	if s.Logger == nil {
		s.Logger = zap.NewNop()
	}
	return s
}

var validServerName = regexp.MustCompile(`^[a-zA-Z0-9_-]{1,32}$`)

// validate returns what is wrong with a server as the caller gave it.
func (s *Server) validate() error {
	if s.Name != "" && !validServerName.MatchString(s.Name) {
		return errors.New("a name has 1 to 32 letters, digits, underscores and hyphens")
	}
	if err := s.validateAddress(); err != nil {
		return err
	}
	switch {
	case s.MaxConcurrent < 0:
		return fmt.Errorf("MaxConcurrent is %d, want 1 or more", s.MaxConcurrent)
	case s.MaxRestarts < -1:
		return fmt.Errorf("MaxRestarts is %d, want -1 (none) or more", s.MaxRestarts)
	case s.StartTimeout < 0:
		return fmt.Errorf("StartTimeout is %v, want more than 0", s.StartTimeout)
	case s.MaxMessage < 0:
		return fmt.Errorf("MaxMessage is %d, want 1 or more", s.MaxMessage)
	}
	return nil
}

func (s *Server) validateAddress() error {
	ways := 0
	for _, set := range []bool{len(s.Command) > 0, s.URL != "", s.InProcess != nil} {
		if set {
			ways++
		}
	}
	switch {
	case ways != 1:
		return errors.New("want exactly one of Command, URL and InProcess")
	case len(s.Command) > 0 && strings.TrimSpace(s.Command[0]) == "":
		return errors.New("the command is empty")
	case s.URL != "":
		return validateURL(s.URL)
	}
	return nil
}

// validateURL doesn't repeat the URL, which may hold a secret.
func validateURL(raw string) error {
	u, err := url.Parse(raw)
	if err != nil || u.Host == "" || (u.Scheme != "http" && u.Scheme != "https") {
		return errors.New(`the URL is not valid, want one such as "https://example.com/mcp"`)
	}
	return nil
}

// label names a server in an error before it has a name.
func (s *Server) label(index int) string {
	if s.Name != "" {
		return fmt.Sprintf("MCP server %q", s.Name)
	}
	return fmt.Sprintf("MCP server %d", index+1)
}
