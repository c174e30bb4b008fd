package main

import (
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"

	"github.com/gluepipe/gluepipe/stages/batch"
)

// meter measures the results that this run wrote, where the summary also counts those of earlier ones. It is read when the
// run is over.
type meter struct {
	times    *hdrhistogram.Histogram    // in microseconds
	failures map[batch.ErrorKind]string // of each kind the first, for people
}

const maxMetered = 24 * time.Hour

func newMeter() *meter {
	return &meter{
		times:    hdrhistogram.New(1, maxMetered.Microseconds(), 3),
		failures: map[batch.ErrorKind]string{},
	}
}

// record takes one result of this run. The times of those that no model was asked for don't count.
func (m *meter) record(r *batch.Result) {
	if _, known := m.failures[r.ErrorType]; !r.Success && !known {
		m.failures[r.ErrorType] = shortened(inOneLine(r.ID+": "+r.Error), 160)
	}
	if r.Attempts == 0 {
		return
	}
	_ = m.times.RecordValue(min(r.ElapsedTime, maxMetered).Microseconds()) // within its bounds by min
}

// percentile returns the elapsed time that p percent of the requests stayed within.
func (m *meter) percentile(p float64) time.Duration {
	return time.Duration(m.times.ValueAtQuantile(p)) * time.Microsecond
}
