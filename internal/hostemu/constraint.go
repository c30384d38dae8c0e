package hostemu

import (
	"fmt"
	"math"
	"regexp"
	"strconv"
	"strings"
	"time"
	"unicode/utf16"
)

// A constraint accepts or refuses the value of a parameter, nil when the path has none. Only nonfile
// accepts nil (the constraints of Microsoft.AspNetCore.Routing).
type constraint func(value *string) bool

// parseConstraint reads name or name(arguments). An unknown name, a wrong number of arguments and one
// that cannot be read are errors, as they are to the host.
func parseConstraint(text string) (constraint, error) {
	name, argument := text, ""
	called := false
	if i := strings.IndexByte(text, '('); i >= 0 && strings.HasSuffix(text, ")") {
		name, argument, called = text[:i], text[i+1:len(text)-1], true
	}
	name = strings.ToLower(name)
	if accepts, ok := plainConstraints()[name]; ok {
		if called && strings.TrimSpace(argument) != "" {
			return nil, fmt.Errorf("constraint %q takes no argument", text)
		}
		return accepts, nil
	}
	if name == "regex" {
		return parseRegex(argument)
	}
	bounds, known := boundConstraints()[name]
	if !known {
		return nil, fmt.Errorf("unknown constraint %q", text)
	}
	var numbers []int64
	for arg := range strings.SplitSeq(argument, ",") {
		n, err := strconv.ParseInt(strings.TrimSpace(arg), 10, bounds.bits)
		if err != nil {
			return nil, fmt.Errorf("constraint %q: invalid number %q", text, arg)
		}
		numbers = append(numbers, n)
	}
	return bounds.build(text, numbers)
}

// present makes a constraint of a test that a missing value fails.
func present(accepts func(string) bool) constraint {
	return func(v *string) bool { return v != nil && accepts(*v) }
}

// plainConstraints are those without arguments.
func plainConstraints() map[string]constraint {
	float := func(bits int) func(string) bool {
		return func(v string) bool { return isNumber(v, true, bits) }
	}
	return map[string]constraint{
		"int":      present(func(v string) bool { _, ok := integer(v, 32); return ok }),
		"long":     present(func(v string) bool { _, ok := integer(v, 64); return ok }),
		"float":    present(float(32)),
		"double":   present(float(64)),
		"decimal":  present(func(v string) bool { return isNumber(v, false, 64) }),
		"bool":     present(isBool),
		"alpha":    present(alpha.MatchString),
		"guid":     present(func(v string) bool { return guid.MatchString(strings.TrimSpace(v)) }),
		"datetime": present(isDateTime),
		"required": present(func(v string) bool { return v != "" }),
		"file":     present(isFileName),
		"nonfile":  func(v *string) bool { return v == nil || !isFileName(*v) },
	}
}

var (
	alpha = regexp.MustCompile(`^[a-zA-Z]*\n?$`) // "$" of .NET is satisfied before a last newline
	guid  = regexp.MustCompile(`(?i)^([0-9a-f]{32}|\{DASHED\}|\(DASHED\)|DASHED)$`)
)

func init() {
	const dashed = `[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}`
	guid = regexp.MustCompile(strings.ReplaceAll(guid.String(), "DASHED", dashed))
}

type boundConstraint struct {
	bits  int // of the numbers
	build func(text string, numbers []int64) (constraint, error)
}

// boundConstraints are those that compare a length or a number with their arguments.
func boundConstraints() map[string]boundConstraint {
	between := func(bits int, measure func(string) (int64, bool), limits func([]int64) (low, high int64), counts ...int) boundConstraint {
		return boundConstraint{bits, func(text string, n []int64) (constraint, error) {
			for _, count := range counts {
				if count != len(n) {
					continue
				}
				low, high := limits(n)
				if low > high || bits == 32 && low < 0 {
					return nil, fmt.Errorf("constraint %q has limits that no value satisfies", text)
				}
				return present(func(v string) bool {
					m, ok := measure(v)
					return ok && low <= m && m <= high
				}), nil
			}
			return nil, fmt.Errorf("constraint %q has the wrong number of arguments", text)
		}}
	}
	length := func(v string) (int64, bool) { return int64(len(utf16.Encode([]rune(v)))), true }
	number := func(v string) (int64, bool) { return integer(v, 64) }
	least := func(n []int64) (int64, int64) { return n[0], math.MaxInt64 }
	return map[string]boundConstraint{
		"length":    between(32, length, func(n []int64) (int64, int64) { return n[0], n[len(n)-1] }, 1, 2),
		"minlength": between(32, length, least, 1),
		"maxlength": between(32, length, func(n []int64) (int64, int64) { return 0, n[0] }, 1),
		"min":       between(64, number, least, 1),
		"max":       between(64, number, func(n []int64) (int64, int64) { return math.MinInt64, n[0] }, 1),
		"range":     between(64, number, func(n []int64) (int64, int64) { return n[0], n[1] }, 2),
	}
}

// parseRegex compiles a pattern; case counts for nothing. Look-around and back-references, which .NET
// has and Go does not, are refused.
func parseRegex(pattern string) (constraint, error) {
	compiled, err := regexp.Compile("(?i)" + pattern)
	if err != nil {
		return nil, fmt.Errorf("constraint regex(%s) cannot be run here: %w", pattern, err)
	}
	return present(compiled.MatchString), nil
}

// integer reads NumberStyles.Integer: blanks around it and a sign are fine.
func integer(v string, bits int) (int64, bool) {
	n, err := strconv.ParseInt(strings.Trim(v, " \t\n\v\f\r"), 10, bits)
	return n, err == nil
}

var (
	realNumber    = regexp.MustCompile(`^[+-]?(\d[\d,]*\.?\d*|\.\d+)([eE][+-]?\d+)?$`)
	decimalNumber = regexp.MustCompile(`^([+-]?(\d[\d,]*\.?\d*|\.\d+)|(\d[\d,]*\.?\d*|\.\d+)[+-])$`)
)

// isNumber reads NumberStyles.Float and AllowThousands, or NumberStyles.Number of a decimal.
func isNumber(v string, exponent bool, bits int) bool {
	v = strings.Trim(v, " \t\n\v\f\r")
	if !exponent {
		digits := strings.TrimLeft(strings.Trim(strings.ReplaceAll(v, ",", ""), "+-"), "0")
		whole, _, _ := strings.Cut(digits, ".")
		const largest = "79228162514264337593543950335"
		return decimalNumber.MatchString(v) && (len(whole) < len(largest) || len(whole) == len(largest) && whole <= largest)
	}
	switch strings.ToLower(strings.TrimLeft(v, "+-")) {
	case "infinity", "nan", "∞":
		return true
	}
	// A number that is too large is infinite to .NET, and no error.
	return realNumber.MatchString(v) && (bits == 32 || bits == 64)
}

func isBool(v string) bool {
	v = strings.TrimFunc(v, func(r rune) bool { return r == 0 || strings.ContainsRune(" \t\n\v\f\r", r) })
	return strings.EqualFold(v, "true") || strings.EqualFold(v, "false")
}

// isDateTime knows the forms of the invariant culture that appear in paths; .NET knows more.
func isDateTime(v string) bool {
	for _, date := range []string{"2006-1-2", "2006/1/2", "1/2/2006", "1-2-2006", "2006-1", "2 Jan 2006", "2 January 2006", "Jan 2 2006", "January 2, 2006", "Jan 2, 2006", "2006-Jan-2", "Mon, 02 Jan 2006"} {
		for _, clock := range []string{"", "T15:04", "T15:04:05", "T15:04:05Z07:00", "T15:04Z07:00", " 15:04", " 15:04:05", " 3:04 PM", " 3:04:05 PM", " 15:04:05Z07:00", " 15:04:05 GMT"} {
			if _, err := time.Parse(date+clock, strings.TrimSpace(v)); err == nil {
				return true
			}
		}
	}
	for _, clock := range []string{"15:04", "15:04:05"} {
		if _, err := time.Parse(clock, strings.TrimSpace(v)); err == nil {
			return true
		}
	}
	return false
}

// isFileName reports whether the last segment has a dot and something else after it.
func isFileName(v string) bool {
	_, extension, dotted := strings.Cut(v[strings.LastIndexByte(v, '/')+1:], ".")
	return dotted && strings.Trim(extension, ".") != ""
}
