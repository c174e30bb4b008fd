package main

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/gluepipe/gluepipe/stages/llm"
)

// hedgeValue takes a duration, or a percentile such as p95. 0 is never.
type hedgeValue struct{ to *llm.HedgeConfig }

func (v hedgeValue) Type() string { return "p95|DURATION" }

func (v hedgeValue) String() string {
	return textOf(v.to, func(c llm.HedgeConfig) string {
		if c.Percentile > 0 {
			return "p" + strconv.FormatFloat(c.Percentile, 'f', -1, 64)
		}
		return durationValue{&c.After}.String()
	})
}

func (v hedgeValue) Set(text string) error {
	if percentile, ok := strings.CutPrefix(strings.ToLower(text), "p"); ok {
		p, err := strconv.ParseFloat(percentile, 64)
		if err != nil || !(p > 0 && p < 100) {
			return fmt.Errorf("want a percentile above p0 and below p100, such as p95, got %q", text)
		}
		*v.to = llm.HedgeConfig{Percentile: p}
		return nil
	}
	var after time.Duration
	if err := (durationValue{&after}).Set(text); err != nil {
		return fmt.Errorf("want a percentile such as p95, or a duration such as 90s, got %q", text)
	}
	*v.to = llm.HedgeConfig{After: after}
	return nil
}
