package pipeline

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/gluepipe/gluepipe/stages"
	"github.com/gluepipe/gluepipe/stages/batch"
)

// Progress tells how far a run is. Each request counts once, however often it is tried.
type Progress struct {
	Total      int // requests the source has, where it knows; else -1
	Taken      int // requests taken from the source
	Done       int // requests with an outcome: Succeeded + Failed + Dropped
	Succeeded  int
	Failed     int
	Dropped    int // taken out by a stage, such as those an earlier run has done
	Unfinished int // cut short by the run's end, and not done
	InFlight   int // model calls under way, over all runs of the processor
	// Paused is for how long no call may start yet, because of a rate limit or a server that can't be reached; 0 where one may.
	Paused     time.Duration
	TokensUsed batch.TokenUsage
	Elapsed    time.Duration
	// Slowest are up to 3 requests that take markedly longer than the others, the slowest first: what a run that is nearly
	// done waits for. See [stages.Tracker.Slowest].
	Slowest []stages.InFlight
}

// String returns the progress as a line for people.
func (p Progress) String() string {
	done := strconv.Itoa(p.Done)
	if p.Total > 0 {
		done = fmt.Sprintf("%d/%d", p.Done, p.Total)
	}
	line := fmt.Sprintf("%s done, %d failed, %d in flight, %d tokens, %v",
		done, p.Failed, p.InFlight, p.TokensUsed.Total, p.Elapsed.Round(time.Second))
	if p.Paused > 0 {
		line += ", calls wait " + p.Paused.Round(time.Second).String()
	}
	if len(p.Slowest) == 0 {
		return line
	}
	slowest := make([]string, len(p.Slowest))
	for i, request := range p.Slowest {
		slowest[i] = request.String()
	}
	return line + ", slowest: " + strings.Join(slowest, ", ")
}
