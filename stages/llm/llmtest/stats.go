package llmtest

import (
	"hash/maphash"
	"maps"
	"slices"
	"sync"
)

// Stats is what a server has seen so far: requests for completions and embeddings alone, refused ones included.
type Stats struct {
	Requests int
	// InFlight and MaxInFlight are the requests being answered: now, and the most at once. A request counts from when its
	// headers are read until just before the last bytes of its answer are written, so that a client which keeps to n at
	// once is never seen with more, except that a request which the client gave up counts until the server notices.
	InFlight    int
	MaxInFlight int
	Statuses    map[int]int // answers by HTTP status; 0 are those without: reset, hanging, given up by the client
}

// record is what the server keeps of what it has seen.
type record struct {
	hash maphash.Seed

	mu       sync.Mutex
	stats    Stats
	attempts map[uint64]int32 // by hash of the prompt, so that long prompts take no more memory than short ones
	bodies   [][]byte
}

func newRecord() *record {
	return &record{hash: maphash.MakeSeed(), stats: Stats{Statuses: map[int]int{}}, attempts: map[uint64]int32{}}
}

// begin counts a request in and returns its number, from 0.
func (r *record) begin() uint64 {
	r.mu.Lock()
	defer r.mu.Unlock()
	n := r.stats.Requests
	r.stats.Requests++
	r.stats.InFlight++
	r.stats.MaxInFlight = max(r.stats.MaxInFlight, r.stats.InFlight)
	return uint64(n)
}

func (r *record) end(status int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.stats.InFlight--
	r.stats.Statuses[status]++
}

// attempt counts a request for prompt and returns which one it is, from 1.
func (r *record) attempt(prompt string) int {
	key := maphash.String(r.hash, prompt)
	r.mu.Lock()
	defer r.mu.Unlock()
	r.attempts[key]++
	return int(r.attempts[key])
}

func (r *record) keep(body []byte) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.bodies = append(r.bodies, body)
}

// Stats returns the counts so far.
func (s *Server) Stats() Stats {
	s.record.mu.Lock()
	defer s.record.mu.Unlock()
	stats := s.record.stats
	stats.Statuses = maps.Clone(stats.Statuses)
	return stats
}

// Attempts returns how many requests had this text as their last user message. It panics where they are not counted: set
// [Config.CountAttempts].
func (s *Server) Attempts(prompt string) int {
	if !s.own.counting() {
		panic("gluepipe: Server.Attempts needs Config.CountAttempts")
	}
	s.record.mu.Lock()
	defer s.record.mu.Unlock()
	return int(s.record.attempts[maphash.String(s.record.hash, prompt)])
}

// Bodies returns the request bodies so far, in the order in which they came. It panics where they are not kept: set
// [Config.RecordBodies].
func (s *Server) Bodies() [][]byte {
	if !s.own.RecordBodies {
		panic("gluepipe: Server.Bodies needs Config.RecordBodies")
	}
	s.record.mu.Lock()
	defer s.record.mu.Unlock()
	return slices.Clone(s.record.bodies)
}
