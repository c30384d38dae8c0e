package child

import (
	"cmp"
	"math"
	"time"
)

// demand says how many processes of a server will be asked for while another one starts, by how many have
// been of late. Its owner's lock guards it.
type demand struct {
	count float64       // of those asked for, each of which counts less as time goes by
	at    time.Time     // of count
	start time.Duration // that a process takes until it answers, on average; zero while that is not known
}

const (
	demandFor    = 30 * time.Second // in which one that was asked for comes to count 1/e
	usualStart   = 2 * time.Second  // of a process, until one was measured
	startsWeight = 0.3              // of the last start in their average
)

// came notes that a process was asked for.
func (d *demand) came(now time.Time) {
	d.count = d.left(now) + 1
	d.at = now
}

func (d *demand) left(now time.Time) float64 {
	return d.count * math.Exp(-float64(now.Sub(d.at))/float64(demandFor))
}

// took notes how long a process has taken to start.
func (d *demand) took(start time.Duration) {
	if d.start == 0 {
		d.start = start
		return
	}
	d.start += time.Duration(startsWeight * float64(start-d.start))
}

// during is how many are expected to be asked for while one starts.
func (d *demand) during(now time.Time) int {
	start := cmp.Or(d.start, usualStart)
	return int(math.Round(d.left(now) * float64(start) / float64(demandFor)))
}
