package main

import (
	"bytes"
	"fmt"
	"html"
	"math"
	"strconv"
)

// svg is a drawing that is as readable on a dark page as on a light one, and needs nothing from elsewhere.
type svg struct {
	bytes.Buffer
	height int
}

const svgWidth = 800

const svgStyle = `<style>
text { font: 14px system-ui, -apple-system, "Segoe UI", sans-serif; fill: #1f2328 }
.title { font-size: 16px; font-weight: 600 }
.note { font-size: 12px; fill: #59636e }
.end { text-anchor: end }
.middle { text-anchor: middle }
.other { fill: #afb8c1; stroke: #afb8c1 }
.bare { fill: #6e7781; stroke: #6e7781 }
.ours { fill: #1f6feb; stroke: #1f6feb }
.bar { stroke: none }
.line { fill: none; stroke-width: 2.5 }
.ideal { fill: none; stroke: #6e7781; stroke-dasharray: 5 4; stroke-width: 1.5 }
.grid { stroke: #d1d9e0; stroke-width: 1 }
@media (prefers-color-scheme: dark) {
  text { fill: #e6edf3 }
  .note { fill: #9198a1 }
  .other { fill: #57606a; stroke: #57606a }
  .bare { fill: #9198a1; stroke: #9198a1 }
  .ours { fill: #4493f8; stroke: #4493f8 }
  .line { fill: none }
  .grid { stroke: #3d444d }
}
</style>
`

// text writes at the base line. The class may hold several words.
func (s *svg) text(x, y float64, class, text string) {
	fmt.Fprintf(s, `<text x="%.1f" y="%.1f" class="%s">%s</text>`+"\n", x, y, class, html.EscapeString(text))
}

func (s *svg) bar(x, y, width, height float64, class string) {
	fmt.Fprintf(s, `<rect x="%.1f" y="%.1f" width="%.1f" height="%.1f" rx="3" class="bar %s"/>`+"\n", x, y, width, height, class)
}

func (s *svg) line(class string, points ...[2]float64) {
	fmt.Fprint(s, `<polyline points="`)
	for i, p := range points {
		if i > 0 {
			fmt.Fprint(s, " ")
		}
		fmt.Fprintf(s, "%.1f,%.1f", p[0], p[1])
	}
	fmt.Fprintf(s, `" class="%s"/>`+"\n", class)
}

func (s *svg) dot(at [2]float64, class string) {
	fmt.Fprintf(s, `<circle cx="%.1f" cy="%.1f" r="4" class="%s"/>`+"\n", at[0], at[1], class)
}

// whole returns the drawing with its frame; what it shows is read out to who can't see it.
func (s *svg) whole(label string) []byte {
	return fmt.Appendf(nil, `<svg xmlns="http://www.w3.org/2000/svg" width="%d" height="%d" viewBox="0 0 %[1]d %[2]d" role="img" `+
		`aria-label="%s">`+"\n%s%s</svg>\n", svgWidth, s.height, html.EscapeString(label), svgStyle, s.Bytes())
}

// thousands writes 12345.6 as 12,346.
func thousands(f float64) string {
	digits := strconv.FormatInt(int64(math.Round(f)), 10)
	for i := len(digits) - 3; i > 0; i -= 3 {
		digits = digits[:i] + "," + digits[i:]
	}
	return digits
}
