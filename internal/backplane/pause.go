package backplane

import (
	"math/rand/v2"
	"time"
)

// jitter returns a random duration from d/2 to 3d/2. All instances lose Redis at the same moment, and must not all
// return to it at the same moment.
func jitter(d time.Duration) time.Duration { return d/2 + rand.N(d) }
