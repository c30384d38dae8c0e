package child

import (
	"testing"
	"time"
)

func TestDemandFollowsArrivals(t *testing.T) {
	t.Parallel()
	var d demand
	now := time.Now()
	if n := d.during(now); n != 0 {
		t.Errorf("before anybody came %d are expected", n)
	}
	d.took(3 * time.Second)
	for range 120 { // one a second
		now = now.Add(time.Second)
		d.came(now)
	}
	if n := d.during(now); n != 3 {
		t.Errorf("at one a second, where a start takes three, %d are expected, want 3", n)
	}
	for range 30 {
		d.took(time.Second)
	}
	if n := d.during(now); n != 1 {
		t.Errorf("where a start takes a second %d are expected, want 1", n)
	}
	if n := d.during(now.Add(3 * demandFor)); n != 0 {
		t.Errorf("long after, %d are expected", n)
	}
}
