package main

import "fmt"

const (
	barLeft, barRoom = 270, 400 // where bars begin, and the longest one
	barStep          = 32
)

// chart draws the calls a second of each contender as a bar, a block for each table.
func (r *report) chart() []byte {
	s, y := new(svg), 0.0
	for _, t := range r.Tables {
		y += 28
		s.text(16, y, "title", "Calls a second, "+thousands(float64(t.InFlight))+" in flight, "+latencyText(t.Latency))
		y += 16
		longest := 1.0
		for _, row := range t.Rows {
			longest = max(longest, row.Calls)
		}
		for _, row := range t.Rows {
			s.text(barLeft-12, y+17, "end", row.About)
			length := row.Calls / longest * barRoom
			s.bar(barLeft, y, length, barStep-9, classOf(row.Contender))
			s.text(barLeft+length+8, y+17, "", thousands(row.Calls)+fmt.Sprintf("  (%.2f)", row.Ratio))
			y += barStep
		}
		y += 14
	}
	y += 6
	s.text(16, y, "note", "In brackets: of the bare go-openai loop, in the same run. Requests have 400 bytes, answers 900.")
	s.text(16, y+18, "note", r.Machine.String())
	s.height = int(y) + 34
	return s.whole("Calls a second of gluepipe and of bare clients")
}

func classOf(contender string) string {
	switch contender {
	case bare:
		return "bare"
	case "net/http", redpandaConnect:
		return "other"
	default:
		return "ours"
	}
}

func latencyText(s float64) string {
	if s == 0 {
		return "a server that answers at once"
	}
	return "a server that takes " + seconds(s).String()
}
