package llmtest

import (
	"cmp"
	"fmt"
	"maps"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
)

// ParseModel reads a model name such as "echo?latency=20ms&error_rate=0.1" into the Config of a server that behaves so. It
// refuses a behaviour or parameter that it doesn't know, and names the known ones.
func ParseModel(name string) (Config, error) {
	behaviour, query, _ := strings.Cut(name, "?")
	cfg := Config{Behaviour: behaviour}
	if err := cfg.apply(query); err != nil {
		return Config{}, fmt.Errorf("model %q: %w", name, err)
	}
	defaulted := cfg.withDefaults()
	if err := defaulted.validate(); err != nil {
		return Config{}, fmt.Errorf("model %q: %w", name, err)
	}
	return cfg, nil
}

// apply sets the fields that a model name's parameters name.
func (c *Config) apply(query string) error {
	values, err := url.ParseQuery(query)
	if err != nil {
		return err
	}
	for _, name := range slices.Sorted(maps.Keys(values)) {
		if len(values[name]) > 1 {
			return fmt.Errorf("parameter %s is given twice", name)
		}
		if err := c.set(name, values.Get(name)); err != nil {
			return err
		}
	}
	return nil
}

const knownParameters = "latency, jitter, error_rate, truncate_rate, empty_rate, reset_rate, hang_rate, body_reset_rate, " +
	"rpm, burst, window, max_in_flight, no_limit_headers, whole_seconds, seed"

func (c *Config) set(name, value string) (err error) {
	want := "a number from 0 to 1"
	switch name {
	case "latency":
		want = "a duration such as 20ms"
		c.Latency, err = time.ParseDuration(value)
	case "jitter":
		c.Jitter, err = strconv.ParseFloat(value, 64)
	case "rpm":
		want = "a whole number"
		c.RPM, err = strconv.Atoi(value)
	case "burst":
		want = "a whole number"
		c.Burst, err = strconv.Atoi(value)
	case "window":
		want = "a duration such as 1m"
		c.Window, err = time.ParseDuration(value)
	case "max_in_flight":
		want = "a whole number"
		c.MaxInFlight, err = strconv.Atoi(value)
	case "no_limit_headers":
		want = "true or false"
		c.NoLimitHeaders, err = strconv.ParseBool(value)
	case "whole_seconds":
		want = "true or false"
		c.WholeSeconds, err = strconv.ParseBool(value)
	case "seed":
		want = "a whole number"
		c.Seed, err = strconv.ParseInt(value, 10, 64)
	default:
		rates := c.rates()
		i := slices.IndexFunc(rates[:], func(r rate) bool { return r.name == name })
		if i < 0 {
			return fmt.Errorf("unknown parameter %q: want one of %s", name, knownParameters)
		}
		*rates[i].value, err = strconv.ParseFloat(value, 64)
	}
	if err != nil {
		return fmt.Errorf("%s: want %s, got %q", name, want, value)
	}
	return nil
}

// profile is how the requests for one model are answered.
type profile struct {
	Config
	faulty bool     // some rate is above 0
	limits *limiter // nil: no limit
	gate   *gate    // nil: no limit of those in flight
}

func newProfile(cfg Config) *profile {
	p := &profile{Config: cfg}
	for _, rate := range cfg.rates() {
		p.faulty = p.faulty || *rate.value > 0
	}
	if cfg.RPM > 0 {
		p.limits = newLimiter(cfg.RPM, cmp.Or(cfg.Burst, cfg.RPM), cfg.Window)
	}
	if cfg.MaxInFlight > 0 {
		p.gate = newGate(cfg.MaxInFlight)
	}
	return p
}

// profile returns the server's own profile, or the one that the model's name asks for.
func (s *Server) profile(model string) (*profile, error) {
	behaviour, query, parameters := strings.Cut(model, "?")
	if !parameters && (behaviour == s.own.Behaviour || !slices.Contains(behaviours, behaviour)) {
		return s.own, nil
	}
	if known, ok := s.profiles.Load(model); ok {
		return known.(*profile), nil
	}
	cfg := s.own.Config
	if slices.Contains(behaviours, behaviour) {
		cfg.Behaviour = behaviour
	}
	if err := cfg.apply(query); err != nil {
		return nil, err
	}
	if err := cfg.validate(); err != nil {
		return nil, err
	}
	p := newProfile(cfg)
	if cfg.RPM == s.own.RPM && cfg.Burst == s.own.Burst && cfg.Window == s.own.Window {
		p.limits = s.own.limits
	}
	if cfg.MaxInFlight == s.own.MaxInFlight {
		p.gate = s.own.gate
	}
	kept, _ := s.profiles.LoadOrStore(model, p)
	return kept.(*profile), nil
}
