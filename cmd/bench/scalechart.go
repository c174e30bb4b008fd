package main

import (
	"fmt"
	"math"
	"slices"
)

// panel maps figures to a place of a drawing: both axes count in powers, or y from zero on.
type panel struct {
	*svg
	left, top, width, height float64
	minX, maxX, minY, maxY   float64
	linear                   bool
}

func (p *panel) at(x, y float64) [2]float64 {
	share := y / p.maxY
	if !p.linear {
		share = math.Log(y/p.minY) / math.Log(p.maxY/p.minY)
	}
	across := math.Log(x/p.minX) / math.Log(p.maxX/p.minX)
	return [2]float64{p.left + across*p.width, p.top + (1-share)*p.height}
}

// tickX and tickY label a figure of an axis.
func (p *panel) tickX(x float64) {
	s := p.at(x, p.maxY)
	p.text(s[0], p.top+p.height+18, "note middle", thousands(x))
}

func (p *panel) tickY(y float64) {
	s := p.at(p.minX, y)
	p.line("grid", s, p.at(p.maxX, y))
	p.text(s[0]-8, s[1]+4, "note end", thousands(y))
}

// curve draws one figure of the points over another.
func (p *panel) curve(points []point, class string, x, y func(point) float64) {
	var line [][2]float64
	for _, point := range points {
		line = append(line, p.at(x(point), y(point)))
	}
	p.line("line "+class, line...)
	for _, at := range line {
		p.dot(at, class)
	}
}

func callsInFlight(p point) float64 { return float64(p.InFlight) }
func length(p point) float64        { return float64(p.Requests) }
func idealRate(p point) float64     { return p.Ideal }
func bareRate(p point) float64      { return p.Bare }
func fileRate(p point) float64      { return p.File }

// chart draws throughput over the calls in flight, beside the ideal, and over the length of the input.
func (s *scaling) chart() []byte {
	drawing := &svg{height: 420}
	s.drawCalls(drawing)
	s.drawInput(drawing)
	for i, key := range []struct{ class, text string }{{"ours", "gluepipe, file to file"}, {"bare", "bare go-openai loop"}} {
		x := 64 + float64(i)*190
		drawing.bar(x, 372, 14, 14, key.class)
		drawing.text(x+20, 384, "note", key.text)
	}
	drawing.line("ideal", [2]float64{444, 379}, [2]float64{470, 379})
	drawing.text(476, 384, "note", "ideal: calls in flight over latency")
	drawing.text(16, 408, "note", s.Machine.String())
	return drawing.whole("Throughput by calls in flight and by length of input")
}

func (s *scaling) drawCalls(drawing *svg) {
	drawing.text(16, 28, "title", fmt.Sprintf("Requests/s by calls in flight, latency %v", seconds(s.Latency)))
	if len(s.ByCalls) < 2 {
		return
	}
	first, last := s.ByCalls[0], s.ByCalls[len(s.ByCalls)-1]
	p := &panel{
		svg: drawing, left: 64, top: 48, width: 360, height: 280,
		minX: callsInFlight(first), maxX: callsInFlight(last), minY: first.Ideal * 0.7, maxY: last.Ideal * 1.3,
	}
	for y := 1.0; y < p.maxY; y *= 10 {
		if y > p.minY {
			p.tickY(y)
		}
	}
	for _, point := range s.ByCalls {
		p.tickX(callsInFlight(point))
	}
	p.line("ideal", p.at(callsInFlight(first), idealRate(first)), p.at(callsInFlight(last), idealRate(last)))
	p.curve(s.ByCalls, "bare", callsInFlight, bareRate)
	p.curve(s.ByCalls, "ours", callsInFlight, fileRate)
}

func (s *scaling) drawInput(drawing *svg) {
	if len(s.ByInput) < 2 {
		return
	}
	drawing.text(500, 28, "title", "By length of input, 64 in flight")
	rates := []float64{1}
	for _, point := range s.ByInput {
		rates = append(rates, point.Bare, point.File)
	}
	p := &panel{
		svg: drawing, left: 520, top: 48, width: 240, height: 280, linear: true,
		minX: length(s.ByInput[0]), maxX: length(s.ByInput[len(s.ByInput)-1]), maxY: slices.Max(rates) * 1.1,
	}
	step := math.Pow(10, math.Floor(math.Log10(p.maxY)))
	for y := 0.0; y < p.maxY; y += step {
		p.tickY(y)
	}
	for _, point := range s.ByInput {
		p.tickX(length(point))
	}
	p.curve(s.ByInput, "bare", length, bareRate)
	p.curve(s.ByInput, "ours", length, fileRate)
}
