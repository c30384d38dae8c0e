package main

import (
	"fmt"
	"html"
	"math"
	"strings"
)

// Measures of the plot, in pixels.
const (
	plotWidth  = 960
	plotLeft   = 220 // where the axis begins
	plotRight  = 30
	plotTop    = 70
	plotRow    = 34
	plotBottom = 44
)

// The ends of the axis, as shares. It is logarithmic: peers are apart by orders of magnitude.
const (
	plotLeast = 0.001
	plotMost  = 2.0
)

// plotted are the rows of the plot. More is better in all of them.
var plotted = []struct {
	title     string
	figure    figure
	reference string
}{
	{"echo 1×1, calls/s", "echo 1×1 calls/s", floor},
	{"echo 8×4, calls/s", "echo 8×4 calls/s", floor},
	{"echo 64×1, calls/s", "echo 64×1 calls/s", floor},
	{"64 KiB answers, MB/s", "answers 64 KiB MB/s", raw},
	{"1 MiB answers, MB/s", "answers 1 MiB MB/s", raw},
	{"16 MiB answers, MB/s", "answers 16 MiB MB/s", raw},
	{"1 MiB requests, MB/s", "requests 1 MiB MB/s", raw},
	{"progress, notifications/s", "progress a second", raw},
	{"session churn, sessions/s", "churn sessions/s", raw},
}

// colors are those of the contenders, in their order; ours is the darkest.
var colors = map[string]string{
	ours: "#2563eb", host: "#8fb3f9", "supergateway": "#d1495b", "npm mcp-proxy": "#edae49",
	"PyPI mcp-proxy": "#66a182", "reference adapter": "#8d6a9f", "TBXark": "#7d7d7d", "fastmcp": "#2a9d8f",
}

// plotStyle lets the picture be dark where the page is.
const plotStyle = `<style>
text { fill: #1f2328 } .page { fill: #fff } .grid { stroke: #b6bcc4 } .row { stroke: #e6e8eb } circle { stroke: #fff; stroke-width: 1.5 }
@media (prefers-color-scheme: dark) {
text { fill: #e6edf3 } .page { fill: #0d1117 } .grid { stroke: #4a515a } .row { stroke: #262c34 } circle { stroke: #0d1117 }
}
</style>
`

// plot is the results as a picture in SVG: every contender's throughput as a part of its reference's.
func (res *results) plot() string {
	height := plotTop + plotRow*len(plotted) + plotBottom
	var b strings.Builder
	fmt.Fprintf(&b, `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %d %d" font-family="system-ui,sans-serif" font-size="13">`+"\n", plotWidth, height)
	b.WriteString(plotStyle)
	fmt.Fprintf(&b, `<rect class="page" width="%d" height="%d" rx="6"/>`+"\n", plotWidth, height)
	fmt.Fprintf(&b, `<text x="%d" y="22" font-size="15" font-weight="bold">Throughput, of bare net/http (echo) or of raw pipes (the rest); more is better</text>`+"\n", 14)
	res.legend(&b)
	bottom := plotTop + plotRow*len(plotted)
	for _, share := range []float64{0.001, 0.01, 0.1, 1} {
		x := plotX(share)
		fmt.Fprintf(&b, `<line x1="%.1f" y1="%d" x2="%.1f" y2="%d" class="grid"/>`+"\n", x, plotTop-8, x, bottom)
		fmt.Fprintf(&b, `<text x="%.1f" y="%d" text-anchor="middle">%s</text>`+"\n", x, bottom+18, strings.TrimSuffix(fmt.Sprintf("%g", 100*share), ".0")+" %")
	}
	for i, row := range plotted {
		y := plotTop + plotRow*i + plotRow/2
		fmt.Fprintf(&b, `<text x="%d" y="%d" text-anchor="end">%s</text>`+"\n", plotLeft-14, y+5, html.EscapeString(row.title))
		fmt.Fprintf(&b, `<line x1="%d" y1="%d" x2="%d" y2="%d" class="row"/>`+"\n", plotLeft, y, plotWidth-plotRight, y)
		for k := len(res.contenders) - 1; k >= 0; k-- { // ours on top
			c := res.contenders[k]
			share, ok := ratio(row.figure, row.reference)(res, c.name)
			if color := colors[c.name]; ok && color != "" {
				fmt.Fprintf(&b, `<circle cx="%.1f" cy="%d" r="6.5" fill="%s"><title>%s: %s</title></circle>`+"\n",
					plotX(share), y, color, html.EscapeString(c.name), part(share))
			}
		}
	}
	b.WriteString("</svg>\n")
	return b.String()
}

// legend names the contenders that have figures.
func (res *results) legend(b *strings.Builder) {
	x := 20
	for _, c := range res.contenders {
		if color := colors[c.name]; color != "" && len(res.numbers[c.name]) > 0 {
			fmt.Fprintf(b, `<circle cx="%d" cy="44" r="6.5" fill="%s"/><text x="%d" y="49">%s</text>`+"\n", x, color, x+12, html.EscapeString(c.name))
			x += 42 + 8*len(c.name)
		}
	}
}

// plotX is the position of a share on the axis.
func plotX(share float64) float64 {
	share = min(max(share, plotLeast), plotMost)
	return plotLeft + (plotWidth-plotRight-plotLeft)*math.Log(share/plotLeast)/math.Log(plotMost/plotLeast)
}
