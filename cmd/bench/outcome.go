package main

import (
	"runtime"
	"slices"
	"time"
)

// outcome is what one run of a contender came to. It travels from the contender's process as a line of JSON.
type outcome struct {
	Requests int     `json:"requests"`
	Calls    int     `json:"calls"` // of the server: more than requests, with tools and retries
	Seconds  float64 `json:"seconds"`
	CPU      float64 `json:"cpu_us"` // of the contender's process, in all
	Mallocs  uint64  `json:"mallocs,omitzero"`
	Bytes    uint64  `json:"bytes,omitzero"`
	// P50 and P99 are of what a request took, in microseconds, the server's latency subtracted for each of its calls. Zero is
	// unknown.
	P50       float64   `json:"p50_us,omitzero"`
	P99       float64   `json:"p99_us,omitzero"`
	PeakMiB   float64   `json:"peak_mib"`
	Resident  []float64 `json:"resident_mib,omitempty"` // at the marks
	ServerCPU float64   `json:"server_cpu_us,omitzero"` // zero is unknown: another server
}

func (o *outcome) callsPerSecond() float64 { return float64(o.Calls) / o.Seconds }

func (o *outcome) cpuPerCall() float64 { return o.CPU / float64(o.Calls) }

// setLatency takes what each request took, in microseconds, and sorts it.
func (o *outcome) setLatency(took []float64, server time.Duration) {
	if len(took) == 0 {
		return
	}
	slices.Sort(took)
	latency := float64(server.Microseconds()) * float64(o.Calls/o.Requests)
	o.P50, o.P99 = quantile(took, 0.5)-latency, quantile(took, 0.99)-latency
}

// quantile is of sorted values.
func quantile(sorted []float64, q float64) float64 {
	return sorted[min(int(q*float64(len(sorted))), len(sorted)-1)]
}

// meter measures this process from its making on.
type meter struct {
	began  time.Time
	cpu    time.Duration
	memory runtime.MemStats
}

func newMeter() *meter {
	m := new(meter)
	runtime.ReadMemStats(&m.memory)
	m.cpu, m.began = cpu(), time.Now()
	return m
}

// outcome is of so many requests, each of them one call.
func (m *meter) outcome(requests int) *outcome {
	o := &outcome{
		Requests: requests, Calls: requests, Seconds: time.Since(m.began).Seconds(),
		CPU: microseconds(cpu() - m.cpu), PeakMiB: peakMiB(),
	}
	var now runtime.MemStats
	runtime.ReadMemStats(&now)
	o.Mallocs, o.Bytes = now.Mallocs-m.memory.Mallocs, now.TotalAlloc-m.memory.TotalAlloc
	return o
}

func microseconds(d time.Duration) float64 { return float64(d) / float64(time.Microsecond) }
