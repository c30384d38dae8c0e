package config

import "strings"

// maxNameCompared bounds the work of Nearest: nobody mistypes a key of this length.
const maxNameCompared = 64

// Nearest returns the candidate that name is most likely a slip of, or "". Letter case and the
// separators "_", "-" and "." do not count, so that timeoutSeconds finds timeout_seconds; neither does
// a missing or an added ending, so that timeout finds it as well.
func Nearest[T ~string](name string, candidates []T) T {
	if len(name) > maxNameCompared {
		return ""
	}
	folded := fold(name)
	var best T
	bestDistance := 1 + max(1, len(folded)/3)
	for _, candidate := range candidates {
		c := fold(string(candidate))
		d := distance(folded, c)
		if d > 1 && min(len(folded), len(c)) >= 3 && (strings.HasPrefix(c, folded) || strings.HasPrefix(folded, c)) {
			d = 1
		}
		if d < bestDistance {
			best, bestDistance = candidate, d
		}
	}
	return best
}

func fold(s string) string {
	return strings.Map(func(r rune) rune {
		if r == '_' || r == '-' || r == '.' {
			return -1
		}
		return r
	}, strings.ToLower(s))
}

// distance counts the insertions, deletions, replacements and swaps of neighbours that turn a into
// b (optimal string alignment), by bytes.
func distance(a, b string) int {
	before, last := make([]int, len(b)+1), make([]int, len(b)+1)
	for j := range last {
		last[j] = j
	}
	for i := range len(a) {
		row := make([]int, len(b)+1)
		row[0] = i + 1
		for j := range len(b) {
			replaced := last[j]
			if a[i] != b[j] {
				replaced++
			}
			row[j+1] = min(replaced, last[j+1]+1, row[j]+1)
			if i > 0 && j > 0 && a[i] == b[j-1] && a[i-1] == b[j] {
				row[j+1] = min(row[j+1], before[j-1]+1)
			}
		}
		before, last = last, row
	}
	return last[len(b)]
}
