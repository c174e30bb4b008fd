package llm

import "time"

// growInterval is how long a call in flight holds back others after a pause. A 429 comes at once, an answer may take
// many minutes: so a call that isn't refused by then is as good as one that succeeded.
const growInterval = 10 * time.Second

// recovery lets few calls start after a pause, and then more and more.
type recovery struct {
	window int       // how many calls begun after the pause may be in flight; 0: all
	grows  time.Time // when the window grows without a success
	begun  int       // how many are
	target int       // how many were in flight before the pause
}

func (r *recovery) begin(until time.Time, target int) {
	r.window, r.grows = 1, until.Add(growInterval)
	r.target = max(r.target, target)
}

func (r *recovery) wait(now time.Time) time.Duration {
	for r.window > 0 && r.begun >= r.window {
		if early := r.grows.Sub(now); early > 0 {
			return early
		}
		r.window, r.grows = 2*r.window, now.Add(growInterval)
	}
	return 0
}

// grow allows one call more in flight after each that succeeds, which doubles the pace with each round. When that holds
// back nobody any more, the recovery is over.
func (r *recovery) grow(nobodyWaits bool) {
	if r.window == 0 {
		return
	}
	if r.window++; r.window > r.target && nobodyWaits {
		r.window, r.target = 0, 0
	}
}
