package main

import (
	"fmt"
	"io"
	"slices"
	"strings"
	"time"
)

// Results are what all rounds found.
type results struct {
	scale      scale
	contenders []contender
	numbers    map[string]map[figure][]float64 // by contender, a number a round
	complaints []complaint
	profiles   []breakdown
}

// A complaint is something that went wrong, and how often.
type complaint struct {
	contender, measure, text string
	rounds                   int
}

// run does every measure with every contender, all of it once a round, so that what else the machine
// does meets everybody alike. It says on progress where it is.
func run(l *lab, s scale, contenders []contender, all []measure, progress io.Writer) (*results, error) {
	res := &results{scale: s, contenders: contenders, numbers: map[string]map[figure][]float64{}}
	hopeless := map[string]bool{} // contender and measure that gave nothing
	begun := time.Now()
	for round := range s.rounds {
		if took := time.Since(begun); round > 0 && took+took/time.Duration(round) > s.within {
			res.scale.rounds = round
			break
		}
		scan, err := scanMessages()
		if err != nil {
			return nil, err
		}
		res.take(ours, scan)
		for _, m := range all {
			for _, c := range contenders {
				key := c.name + "\x00" + m.name
				if c.absent != "" || !m.applies(c) || hopeless[key] {
					continue
				}
				fmt.Fprintf(progress, "\rround %d of %d: %s, %s\x1b[K", round+1, s.rounds, m.name, c.name)
				hopeless[key] = !res.once(l, m, c)
			}
		}
		if took := time.Since(begun); round == 0 && s.rounds > 1 {
			fmt.Fprintf(progress, "\rthe first round took %s; %d rounds take about %s\x1b[K\n",
				took.Round(time.Second), s.rounds, (time.Duration(s.rounds) * took).Round(time.Second))
		}
	}
	fmt.Fprint(progress, "\r\x1b[K")
	return res, nil
}

// once runs one measure with one contender. It reports whether there was any number.
func (res *results) once(l *lab, m measure, c contender) bool {
	complain := func(text string) { res.complain(c.name, m.name, text) }
	r, err := c.start(l, m.name)
	if err != nil {
		complain(err.Error())
		return false
	}
	defer func() {
		r.stop()
		reapOrphans()
	}()
	mt := &meter{running: r, scale: res.scale, measure: m.name, figures: map[figure]float64{}, complain: complain}
	if r.proc != nil {
		if err := r.proc.forgetPeak(); err != nil {
			complain(err.Error())
		}
		u, err := r.proc.usage()
		if err != nil {
			complain(err.Error())
			return false
		}
		mt.rest = u.resident
	}
	if err := m.run(mt); err != nil {
		complain(err.Error())
	}
	res.take(c.name, mt.figures)
	return len(mt.figures) > 0
}

// take takes the figures of one round.
func (res *results) take(contender string, figures map[figure]float64) {
	if res.numbers[contender] == nil {
		res.numbers[contender] = map[figure][]float64{}
	}
	for f, v := range figures {
		res.numbers[contender][f] = append(res.numbers[contender][f], v)
	}
}

func (res *results) complain(contender, measure, text string) {
	text = strings.Join(strings.Fields(text), " ")
	for i, c := range res.complaints {
		if c.contender == contender && c.measure == measure && c.text == text {
			res.complaints[i].rounds++
			return
		}
	}
	res.complaints = append(res.complaints, complaint{contender, measure, text, 1})
}

// wrong reports whether anything went wrong with the contenders named.
func (res *results) wrong(names ...string) bool {
	return slices.ContainsFunc(res.complaints, func(c complaint) bool { return slices.Contains(names, c.contender) })
}

// median returns the median of a figure over the rounds, if there is one.
func (res *results) median(contender string, f figure) (float64, bool) {
	all := slices.Sorted(slices.Values(res.numbers[contender][f]))
	switch n := len(all); {
	case n == 0:
		return 0, false
	case n%2 == 1:
		return all[n/2], true
	default:
		return (all[n/2-1] + all[n/2]) / 2, true
	}
}

// spread returns how far the rounds are apart: the largest difference from the median, as a part of it.
func (res *results) spread(contender string, f figure) float64 {
	mid, ok := res.median(contender, f)
	if !ok || mid == 0 {
		return 0
	}
	all := res.numbers[contender][f]
	return max(slices.Max(all)-mid, mid-slices.Min(all)) / mid
}
