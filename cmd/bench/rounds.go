package main

import (
	"cmp"
	"context"
	"slices"
)

// entry is a contender and what it is asked to do.
type entry struct {
	contender string
	load      load
}

// inTurn runs the entries in rounds, A B C A B C, so that what else the machine does meets all of them, after a short round
// that doesn't count. It returns each entry's outcomes, round by round.
func (b *bench) inTurn(ctx context.Context, rounds int, entries []entry) ([][]*outcome, error) {
	for _, e := range entries {
		e.load.requests = max(e.load.requests/10, min(e.load.requests, e.load.inFlight))
		if _, err := b.run(ctx, e.contender, e.load); err != nil {
			return nil, err
		}
	}
	outcomes := make([][]*outcome, len(entries))
	for range rounds {
		for i, e := range entries {
			o, err := b.run(ctx, e.contender, e.load)
			if err != nil {
				return nil, err
			}
			outcomes[i] = append(outcomes[i], o)
		}
	}
	return outcomes, nil
}

// median is of one figure over the rounds.
func median(rounds []*outcome, figure func(*outcome) float64) float64 {
	values := make([]float64, len(rounds))
	for i, o := range rounds {
		values[i] = figure(o)
	}
	return middle(values)
}

// ratio is the median of what one contender's calls a second are of the other's in the same round.
func ratio(of, to []*outcome) float64 {
	return byRound(of, to, (*outcome).callsPerSecond)
}

// byRound is the median of what one contender's figure is of the other's in the same round.
func byRound(of, to []*outcome, figure func(*outcome) float64) float64 {
	values := make([]float64, len(of))
	for i := range of {
		values[i] = figure(of[i]) / figure(to[i])
	}
	return middle(values)
}

func middle(values []float64) float64 {
	slices.Sort(values)
	n := len(values)
	return (values[(n-1)/2] + values[n/2]) / 2
}

// firstOr is for commands that take one of a list.
func firstOr[T cmp.Ordered](values []T, otherwise T) T {
	if len(values) > 0 {
		return values[0]
	}
	return otherwise
}
