package session

import (
	"strconv"
	"testing"
)

func TestLateAnswersAreBounded(t *testing.T) {
	t.Parallel()
	var l late
	for i := range 3 * maxLate {
		l.add(strconv.Itoa(i))
		l.add("again and again")
	}
	if len(l.ids) > maxLate || len(l.order) > maxLate {
		t.Errorf("%d ids and %d in order, want at most %d", len(l.ids), len(l.order), maxLate)
	}
	if last := strconv.Itoa(3*maxLate - 1); !l.has(last) || !l.has("again and again") {
		t.Error("the newest is forgotten")
	}
	if l.has("0") {
		t.Error("the oldest is not forgotten")
	}
}
