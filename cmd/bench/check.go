package main

import (
	"context"
	_ "embed"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"os"
	"strings"
	"time"
)

// keptRatios are those that check compares with. They are renewed with bench check -write.
//
//go:embed ratios.json
var keptRatios []byte

const ratiosFile = "cmd/bench/ratios.json"

// checked is a figure that depends little on the machine.
type checked struct {
	name    string
	lower   bool // is better
	measure func(context.Context, *bench) (float64, error)
}

func checks() []checked {
	return []checked{
		{"file_to_bare", false, func(ctx context.Context, b *bench) (float64, error) {
			return b.fileToBare(ctx, load{requests: 12_000, inFlight: 64}, 5, (*outcome).callsPerSecond)
		}},
		{"file_to_bare_in_cpu", true, func(ctx context.Context, b *bench) (float64, error) {
			return b.fileToBare(ctx, load{requests: 12_000, inFlight: 64}, 3, (*outcome).cpuPerCall)
		}},
		{"file_to_bare_4096_in_flight", false, func(ctx context.Context, b *bench) (float64, error) {
			l := load{requests: 20_000, inFlight: 4096, latency: 200 * time.Millisecond}
			value, err := b.fileToBare(ctx, l, 2, (*outcome).callsPerSecond)
			return min(value, 1), err // more than that says that the machine was busy: both are bound by the latency
		}},
		{"share_of_ideal_1000_in_flight", false, func(ctx context.Context, b *bench) (float64, error) {
			l := load{requests: 10_000, inFlight: 1000, latency: 500 * time.Millisecond}
			s, err := b.idealOf(ctx, l, 1, "file")
			if err != nil {
				return 0, err
			}
			return s.Shares["file"], nil
		}},
		{"engine_allocs_per_item", true, func(ctx context.Context, _ *bench) (float64, error) {
			cost, err := measureEngine(ctx, 100_000, 3)
			return cost.Allocs, err
		}},
		{"memory_at_100_to_50_percent", true, func(ctx context.Context, b *bench) (float64, error) {
			use, err := b.memoryOf(ctx, load{requests: 100_000, inFlight: 64})
			if err != nil {
				return 0, err
			}
			return use.Resident[2] / use.Resident[1], nil
		}},
	}
}

func (b *bench) fileToBare(ctx context.Context, l load, rounds int, figure func(*outcome) float64) (float64, error) {
	outcomes, err := b.inTurn(ctx, rounds, []entry{{bare, l}, {"file", l}})
	if err != nil {
		return 0, err
	}
	return byRound(outcomes[1], outcomes[0], figure), nil
}

// check fails where a ratio is worse than the one kept by more than a quarter, twice in a row.
func (b *bench) check(ctx context.Context) error {
	fmt.Fprintln(b.stdout, thisMachine(b.url))
	if b.write {
		return b.keepRatios(ctx)
	}
	kept := make(map[string]float64)
	if err := json.Unmarshal(keptRatios, &kept); err != nil {
		return fmt.Errorf("%s: %w", ratiosFile, err)
	}
	return b.compare(ctx, checks(), kept)
}

func (b *bench) compare(ctx context.Context, checks []checked, kept map[string]float64) error {
	worse := []string{"worse by more than a quarter than in " + ratiosFile + ":"}
	for _, c := range checks {
		want, ok := kept[c.name]
		if !ok {
			return fmt.Errorf("%s has no %s: run bench check -write", ratiosFile, c.name)
		}
		value, err := c.measure(ctx, b)
		if err == nil && c.fell(value, want) {
			fmt.Fprintf(b.stdout, "%-30s  %6.3f, kept %6.3f: once more\n", c.name, value, want)
			value, err = c.measure(ctx, b)
		}
		if err != nil {
			return err
		}
		fmt.Fprintf(b.stdout, "%-30s  %6.3f, kept %6.3f\n", c.name, value, want)
		if c.fell(value, want) {
			worse = append(worse, c.complaint(value, want))
		}
	}
	if len(worse) > 1 {
		return errors.New(strings.Join(worse, "\n  "))
	}
	return nil
}

// keepRatios writes the ratios of now into the repository.
func (b *bench) keepRatios(ctx context.Context) error {
	ratios := make(map[string]float64)
	for _, c := range checks() {
		value, err := c.measure(ctx, b)
		if err != nil {
			return err
		}
		ratios[c.name] = math.Round(value*1000) / 1000
		fmt.Fprintf(b.stdout, "%-30s  %6.3f\n", c.name, value)
	}
	text, err := json.MarshalIndent(ratios, "", "  ")
	if err != nil {
		return err
	}
	if err := os.WriteFile(ratiosFile, append(text, '\n'), 0o644); err != nil { //nolint:gosec // a file of the repository
		return fmt.Errorf("run this in the repository's root: %w", err)
	}
	return nil
}

// tolerance is by how much a ratio may be worse.
const tolerance = 0.25

func (c *checked) fell(value, kept float64) bool {
	if c.lower {
		return value > kept*(1+tolerance)
	}
	return value < kept*(1-tolerance)
}

func (c *checked) complaint(value, kept float64) string {
	if c.lower {
		return fmt.Sprintf("%s rose from %.3f to %.3f", c.name, kept, value)
	}
	return fmt.Sprintf("%s fell from %.3f to %.3f", c.name, kept, value)
}
