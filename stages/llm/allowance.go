package llm

import "time"

// probeEvery is how often a call may start at least, however little the headers of earlier answers leave: they may be wrong.
const probeEvery = 10 * time.Second

// allowances is what answers' headers say of the limits of one model.
type allowances struct {
	requests, tokens allowance

	started int // calls so far
	spent   int // tokens estimated for them
}

// toldOf returns what is known of a model. Requests can name any, so only so many are kept.
func (l *Limiter) toldOf(model string) *allowances {
	told := l.told[model]
	if told == nil {
		if len(l.told) == maxModels {
			clear(l.told) // who names so many hardly comes back to them
		}
		told = &allowances{}
		l.told[model] = told
	}
	return told
}

// take notes that a call starts, and returns what calls have taken up to it.
func (a *allowances) take(now time.Time, tokens int) (started, spent int) {
	a.requests.take(now, 1)
	a.tokens.take(now, tokens)
	a.started++
	a.spent += tokens
	return a.started, a.spent
}

// allowance is what is left of one limit. A provider's headers tell how much remains and in how long all of it is back, and
// so how fast it comes back: https://platform.openai.com/docs/guides/rate-limits. Where they mean a window that ends at once
// instead, that is too careful until then, and too bold never by more than one window.
type allowance struct {
	limit float64 // 0: unknown
	level float64 // what was left at the time
	rate  float64 // a second
	at    time.Time
	order int // of the call whose answer told
}

// told takes what an answer says. The answer may be old news: age is the time since its call started, and spent what was
// taken since then.
func (a *allowance) told(now time.Time, limit, remaining int, reset, age time.Duration, spent, order int) {
	if order < a.order || limit <= 0 || remaining < 0 {
		return
	}
	if remaining >= limit { // a new window, perhaps: what was known of the one before holds no more
		*a = allowance{order: order}
		return
	}
	if reset <= 0 {
		return
	}
	rate := float64(limit-remaining) / reset.Seconds()
	level := float64(remaining-spent) + rate*age.Seconds()
	*a = allowance{limit: float64(limit), level: min(level, float64(limit)), rate: rate, at: now, order: order}
}

// wait returns how long it is until n may be taken. More than the limit counts as all of it.
func (a *allowance) wait(now time.Time, n int) time.Duration {
	if a.limit == 0 {
		return 0
	}
	owed := min(float64(n), a.limit) - a.left(now)
	if owed <= 0 {
		return 0
	}
	untilProbe := a.at.Add(probeEvery).Sub(now)
	if seconds := owed / a.rate; seconds < untilProbe.Seconds() {
		return time.Duration(seconds*float64(time.Second)) + 1
	}
	return untilProbe
}

func (a *allowance) take(now time.Time, n int) {
	if a.limit > 0 {
		a.level, a.at = a.left(now)-float64(n), now
	}
}

func (a *allowance) left(now time.Time) float64 {
	return min(a.level+a.rate*now.Sub(a.at).Seconds(), a.limit)
}
