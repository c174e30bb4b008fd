package llmtest

import (
	"bytes"
	"cmp"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/gluepipe/gluepipe/stages/internal/jsonappend"
)

func (s *Server) serve(w http.ResponseWriter, r *http.Request) {
	e := &exchange{ResponseWriter: w, ctx: r.Context()}
	id := s.newID()
	w.Header()["X-Request-Id"] = []string{"req_" + id}
	w.Header()["Content-Type"] = []string{"application/json"}
	if !served(r.URL.Path) || r.Method != http.MethodPost {
		a := s.other(r)
		e.send(cmp.Or(a.Status, http.StatusOK), a.Body, 0, a.Fault)
		return
	}

	n := s.record.begin()
	e.record = s.record
	defer e.settle(0)
	req, a, latency := s.decide(e, r, n)
	for name, values := range a.Header {
		w.Header()[http.CanonicalHeaderKey(name)] = values
	}
	if a.Delay != 0 {
		latency = a.Delay
	}
	e.send(cmp.Or(a.Status, http.StatusOK), a.body(req, id), latency, a.Fault)
	if e.record != nil {
		e.settle(0)
		panic(http.ErrAbortHandler) // closes the connection; a return would end it with an empty 200
	}
}

const (
	completionsPath = "/v1/chat/completions"
	embeddingsPath  = "/v1/embeddings"
)

// served tells whether a model answers at the path.
func served(path string) bool { return path == completionsPath || path == embeddingsPath }

// decide reads the n-th request of a model and chooses its answer, with the latency unless the answer has its own.
// What the answer's headers say of limits goes into e's. The request is nil where the answer doesn't need it.
func (s *Server) decide(e *exchange, r *http.Request, n uint64) (*Request, *Answer, time.Duration) {
	if !s.admits(r) {
		return nil, invalidKey(), 0
	}
	body, err := readBody(r)
	if err != nil {
		return nil, badRequest("unreadable_body", "", fmt.Sprintf("The body of your request could not be read: %v.", err)), 0
	}
	if s.own.RecordBodies {
		s.record.keep(body)
	}
	parse := parseRequest
	if r.URL.Path == embeddingsPath {
		parse = parseEmbeddings
	}
	req, refused := parse(body)
	if refused != nil {
		return nil, refused, 0
	}
	p, err := s.profile(req.Model)
	if err != nil {
		return nil, badRequest("invalid_model", "model", err.Error()), 0
	}
	req.Header, req.ctx = r.Header, r.Context()
	if p.counting() {
		req.Attempt = s.record.attempt(req.Prompt())
	}
	if refused := p.limit(e, apiKey(r)); refused != nil {
		return req, refused, 0
	}
	return req, p.choose(req, n), p.latency(n)
}

// limit refuses a request above the limits of its key; nil lets it in.
func (p *profile) limit(e *exchange, key string) *Answer {
	if p.gate != nil {
		leave := p.gate.enter(key)
		if leave == nil {
			return tooManyAtOnce(p.MaxInFlight)
		}
		e.leave = leave
	}
	if p.limits == nil {
		return nil
	}
	state := p.limits.take(key, time.Now())
	if !p.NoLimitHeaders {
		state.setHeaders(e.Header(), p.WholeSeconds)
	}
	if state.wait > 0 {
		return rateLimited(state.wait)
	}
	return nil
}

func (p *profile) choose(r *Request, n uint64) *Answer {
	if p.Respond != nil {
		if a := respond(p.Respond, r); a != nil {
			return a
		}
	}
	if !p.faulty {
		return p.behave(r)
	}
	random := draw(p.Seed, forFaults, n)
	fault := p.fault(share(random))
	if fault == failed {
		return serverError(random)
	}
	a := p.behave(r)
	a.Fault = fault
	return a
}

func respond(fn func(*Request) *Answer, r *Request) (a *Answer) {
	defer func() {
		if v := recover(); v != nil {
			a = Error(http.StatusInternalServerError, "respond_panicked", fmt.Sprintf("Config.Respond panicked: %v", v))
		}
	}()
	return fn(r)
}

// admits tells whether the request's key is let in.
func (s *Server) admits(r *http.Request) bool { return s.keys == nil || s.keys[apiKey(r)] }

// apiKey finds the key where OpenAI's clients put it, or Azure's.
func apiKey(r *http.Request) string {
	if key, ok := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer "); ok {
		return key
	}
	return r.Header.Get("Api-Key")
}

func readBody(r *http.Request) ([]byte, error) {
	var buf bytes.Buffer
	buf.Grow(int(min(max(r.ContentLength, 0), 1<<20)) + bytes.MinRead)
	_, err := buf.ReadFrom(r.Body)
	return buf.Bytes(), err
}

// other answers what is not a request of a model.
func (s *Server) other(r *http.Request) *Answer {
	switch {
	case served(r.URL.Path):
		return Error(http.StatusMethodNotAllowed, "method_not_allowed", "Method not allowed: use POST.")
	case r.URL.Path != "/v1/models":
		return Error(http.StatusNotFound, "unknown_url", fmt.Sprintf("Unknown request URL: %s %s.", r.Method, r.URL.Path))
	case r.Method != http.MethodGet:
		return Error(http.StatusMethodNotAllowed, "method_not_allowed", "Method not allowed: use GET.")
	case !s.admits(r):
		return invalidKey()
	}
	body := []byte(`{"object":"list","data":[`)
	for i, name := range behaviours {
		if i > 0 {
			body = append(body, ',')
		}
		body = jsonappend.String(append(body, `{"id":`...), name)
		body = append(body, `,"object":"model","created":1700000000,"owned_by":"gluepipe"}`...)
	}
	return &Answer{Body: append(body, "]}"...)}
}
