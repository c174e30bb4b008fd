package httptool

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/gluepipe/gluepipe/stages/batch"
	"github.com/gluepipe/gluepipe/stages/tool"
)

const (
	defaultMaxOutput     = 1 << 20
	defaultMaxConcurrent = 16
)

var methods = []string{
	http.MethodGet, http.MethodHead, http.MethodPost, http.MethodPut, http.MethodPatch, http.MethodDelete,
}

// Config describes one tool.
type Config struct {
	// Name has 1 to 64 letters, digits, underscores and hyphens. Description tells the model what the tool is for.
	Name, Description string
	// Parameters is the JSON schema of the arguments, an object's; nil is one without properties. Arguments that break it are
	// answered without a request.
	Parameters json.RawMessage

	// Method is GET by default, or HEAD, POST, PUT, PATCH or DELETE.
	Method string
	// URL is where the request goes. {{.field}} in the path or in a value of the query stands for an argument, a property of
	// Parameters. In the path it is a required one; a parameter of the query is left out where the model leaves out its
	// field. Arguments that the URL doesn't use are added to the query for GET, HEAD and DELETE, a list as a parameter for
	// each of its values; for other methods they are the body, as a JSON object.
	URL string
	// Header is sent with each request. It may hold secrets, as the URL's user info may.
	Header http.Header

	// Timeout is of one call; 0: the run's, below 0: none.
	Timeout time.Duration
	// MaxOutput is how many bytes of a body the model is given; 1 MiB by default.
	MaxOutput int64
	// MaxConcurrent bounds the calls in flight; more wait. The default is 16.
	MaxConcurrent int
	// AllowPrivate lets requests go to addresses that are not public, such as this machine's.
	AllowPrivate bool

	ReadOnly    bool // it changes nothing in the world
	Destructive bool // what it changes may be lost: it deletes, overwrites, sends
}

// New makes a tool that sends one request a call. The tool is safe for concurrent use; its connections close by themselves
// when they are not used. The error names what is wrong with the configuration, and holds no secrets of it.
func New(c Config) (batch.Tool, error) {
	made, err := newTool(&c)
	if err != nil {
		return batch.Tool{}, fmt.Errorf("HTTP tool %q: %w", c.Name, err)
	}
	return made, nil
}

func newTool(c *Config) (batch.Tool, error) {
	method := strings.ToUpper(cmp.Or(c.Method, http.MethodGet))
	maxOutput := cmp.Or(c.MaxOutput, defaultMaxOutput)
	maxConcurrent := cmp.Or(c.MaxConcurrent, defaultMaxConcurrent)
	switch {
	case !slices.Contains(methods, method):
		return batch.Tool{}, fmt.Errorf("the method is %q, want one of %s", c.Method, strings.Join(methods, ", "))
	case maxOutput < 0:
		return batch.Tool{}, fmt.Errorf("MaxOutput is %d, want 1 or more", c.MaxOutput)
	case maxConcurrent < 0:
		return batch.Tool{}, fmt.Errorf("MaxConcurrent is %d, want 1 or more", c.MaxConcurrent)
	}
	target, err := parseTemplate(c.URL)
	if err != nil {
		return batch.Tool{}, err
	}
	if err := checkHost(target.host, c.AllowPrivate); err != nil {
		return batch.Tool{}, err
	}
	r := &requester{
		method: method, target: target, header: canonical(c.Header, target.user), maxOutput: maxOutput,
		client: newClient(maxConcurrent, c.AllowPrivate),
	}
	made, err := tool.FromSchema(c.Name, c.Description, c.Parameters, r.call)
	if err != nil {
		return batch.Tool{}, errors.Unwrap(err) // its text names the tool, too
	}
	if r.properties, err = checkFields(made.Parameters, target, r.queries()); err != nil {
		return batch.Tool{}, err
	}
	made.ReadOnly, made.Destructive, made.Timeout = c.ReadOnly, c.Destructive, c.Timeout
	made.Acquire = tool.Limit(maxConcurrent)
	return made, nil
}
