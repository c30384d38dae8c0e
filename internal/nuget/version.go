package nuget

import (
	"cmp"
	"fmt"
	"math"
	"regexp"
	"strconv"
	"strings"
)

// A Version is one of a package: up to four numbers, labels of a prerelease, and metadata that counts for
// nothing (learn.microsoft.com/nuget/concepts/package-versioning). The zero value is 0.0.0.
type Version struct {
	numbers [4]int
	labels  []string
}

var versionForm = regexp.MustCompile(`^([0-9]+(?:\.[0-9]+){0,3})(?:-([0-9A-Za-z-]+(?:\.[0-9A-Za-z-]+)*))?(?:\+[0-9A-Za-z-]+(?:\.[0-9A-Za-z-]+)*)?$`)

// ParseVersion reads a version as NuGet does: numbers that are missing are zero.
func ParseVersion(text string) (Version, error) {
	var v Version
	m := versionForm.FindStringSubmatch(strings.TrimSpace(text))
	if m == nil {
		return v, fmt.Errorf("invalid version %q: want numbers as in 1.2.3, with a label as in 1.2.3-beta.1 for a prerelease", text)
	}
	for i, part := range strings.Split(m[1], ".") {
		n, err := strconv.Atoi(part)
		if err != nil || n > math.MaxInt32 {
			return v, fmt.Errorf("invalid version %q: want numbers up to %d", text, math.MaxInt32)
		}
		v.numbers[i] = n
	}
	if m[2] != "" {
		v.labels = strings.Split(m[2], ".")
	}
	return v, nil
}

// String returns the normal form: three numbers, a fourth only where it is not zero, labels as they were
// written, and no metadata.
func (v Version) String() string {
	text := fmt.Sprintf("%d.%d.%d", v.numbers[0], v.numbers[1], v.numbers[2])
	if v.numbers[3] != 0 {
		text += "." + strconv.Itoa(v.numbers[3])
	}
	if v.Prerelease() {
		text += "-" + v.release()
	}
	return text
}

// lower is the form that URLs and file names have.
func (v Version) lower() string { return strings.ToLower(v.String()) }

func (v Version) release() string { return strings.Join(v.labels, ".") }

// Prerelease reports whether v has labels.
func (v Version) Prerelease() bool { return len(v.labels) > 0 }

// Major is the first number.
func (v Version) Major() int { return v.numbers[0] }

// Minor is the second number.
func (v Version) Minor() int { return v.numbers[1] }

// Compare is negative where v comes before w: by the numbers, then a prerelease before its release, then
// label by label (semver.org, section 11), whose case does not count.
func (v Version) Compare(w Version) int {
	for i := range v.numbers {
		if c := cmp.Compare(v.numbers[i], w.numbers[i]); c != 0 {
			return c
		}
	}
	if v.Prerelease() != w.Prerelease() {
		return cmp.Compare(len(w.labels), len(v.labels)) // one of the two is 0
	}
	for i := range min(len(v.labels), len(w.labels)) {
		if c := compareLabels(v.labels[i], w.labels[i]); c != 0 {
			return c
		}
	}
	return cmp.Compare(len(v.labels), len(w.labels))
}

func compareLabels(a, b string) int {
	a, b = strings.ToLower(a), strings.ToLower(b)
	na, nb := isNumber(a), isNumber(b)
	switch {
	case na && nb:
		a, b = strings.TrimLeft(a, "0"), strings.TrimLeft(b, "0")
		return cmp.Or(cmp.Compare(len(a), len(b)), cmp.Compare(a, b))
	case na:
		return -1
	case nb:
		return 1
	}
	return cmp.Compare(a, b)
}

func isNumber(s string) bool { return strings.Trim(s, "0123456789") == "" }
