package hostemu

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"sort"
	"strconv"
	"strings"
	"time"

	"github.com/tailscale/hujson"
)

// settings is configuration as .NET binds it: paths such as "customHandler:port", compared without
// regard to case, to values that are all text. Elements of a list have their index as a name. Keys
// are kept in lower case: see package hostjson.
type settings map[string]string

// missing sets a default: path keeps the value it has.
func (s settings) missing(path, value string) {
	if _, ok := s[strings.ToLower(path)]; !ok {
		s[strings.ToLower(path)] = value
	}
}

func (s settings) text(path string) string { return s[strings.ToLower(path)] }

// section reports whether anything is set at path or below it.
func (s settings) section(path string) bool {
	path = strings.ToLower(path)
	for key := range s {
		if key == path || strings.HasPrefix(key, path+":") {
			return true
		}
	}
	return false
}

// elements returns the names of path's direct members, numbers first and in their order.
func (s settings) elements(path string) []string {
	var names []string
	seen := map[string]bool{}
	for key := range s {
		rest, ok := strings.CutPrefix(key, strings.ToLower(path)+":")
		if !ok {
			continue
		}
		name, _, _ := strings.Cut(rest, ":")
		if !seen[name] {
			seen[name] = true
			names = append(names, name)
		}
	}
	sort.Slice(names, func(i, j int) bool {
		a, errA := strconv.Atoi(names[i])
		b, errB := strconv.Atoi(names[j])
		if errA == nil && errB == nil {
			return a < b
		}
		return errA == nil || errB != nil && names[i] < names[j]
	})
	return names
}

// strings returns a list of texts. An app setting may also carry it as one JSON array.
func (s settings) strings(path string) []string {
	var list []string
	if json.Unmarshal([]byte(s.text(path)), &list) == nil && list != nil {
		return list
	}
	for _, name := range s.elements(path) {
		list = append(list, s.text(path+":"+name))
	}
	return list
}

func (s settings) boolean(path string) (bool, error) {
	switch v := s.text(path); {
	case v == "", strings.EqualFold(v, "false"):
		return false, nil
	case strings.EqualFold(v, "true"):
		return true, nil
	default:
		return false, keyError(path, "must be true or false, not %q", v)
	}
}

// duration reads a .NET TimeSpan; it returns other when path is not set.
func (s settings) duration(path string, other time.Duration) (time.Duration, error) {
	v := s.text(path)
	if v == "" {
		return other, nil
	}
	d, err := parseTimeSpan(v)
	if err != nil {
		return 0, keyError(path, "%w", err)
	}
	return d, nil
}

// keyError names a key of host.json by its dotted path.
func keyError(path, format string, args ...any) error {
	return fmt.Errorf("host.json: %q "+format, append([]any{strings.ReplaceAll(path, ":", ".")}, args...)...)
}

var timeSpan = regexp.MustCompile(`^(-?)(?:(\d+)\.)?(\d{1,2}):(\d{1,2})(?::(\d{1,2})(?:\.(\d{1,7}))?)?$`)

// parseTimeSpan reads [-][d.]hh:mm[:ss[.fffffff]]. A lone number is days, for so .NET reads it; the
// only one that makes sense here is -1, no limit, which comes back negative.
func parseTimeSpan(text string) (time.Duration, error) {
	const day = 24 * time.Hour
	if days, err := strconv.ParseInt(text, 10, 16); err == nil {
		return time.Duration(days) * day, nil
	}
	m := timeSpan.FindStringSubmatch(text)
	if m == nil {
		return 0, fmt.Errorf("must be a time like 00:30:00, not %q", text)
	}
	number := func(digits string) time.Duration {
		n, _ := strconv.Atoi(digits) // at most seven digits, or none
		return time.Duration(n)
	}
	if len(m[2]) > 5 || number(m[3]) > 23 || number(m[4]) > 59 || number(m[5]) > 59 {
		return 0, fmt.Errorf("must be a time like 00:30:00, not %q", text)
	}
	ticks := number((m[6] + "0000000")[:7]) // of 100 ns
	d := number(m[2])*day + number(m[3])*time.Hour + number(m[4])*time.Minute + number(m[5])*time.Second +
		ticks*100*time.Nanosecond
	if m[1] == "-" {
		d = -d
	}
	return d, nil
}

// readJSON reads a file as the host's parser does: comments, trailing commas and a byte order mark
// are no error. An error names the file by its place in dir, and the line.
func readJSON(dir, name string, into any) error {
	data, err := os.ReadFile(filepath.Join(dir, name))
	if err != nil {
		var path *os.PathError
		if errors.As(err, &path) {
			err = path.Err
		}
		return fmt.Errorf("read %s: %w", name, err)
	}
	data, err = hujson.Standardize(bytes.TrimPrefix(data, []byte("\ufeff")))
	if err != nil {
		return fmt.Errorf("%s: %s", name, strings.TrimPrefix(err.Error(), "hujson: "))
	}
	d := json.NewDecoder(bytes.NewReader(data))
	d.UseNumber() // a number's text is what is bound
	if err := d.Decode(into); err != nil {
		var wrong *json.UnmarshalTypeError
		if !errors.As(err, &wrong) {
			return fmt.Errorf("%s: %w", name, err)
		}
		line := 1 + bytes.Count(data[:min(int(wrong.Offset), len(data))], []byte("\n"))
		if wrong.Field == "" {
			return fmt.Errorf("%s: line %d: must be an object, not a %s", name, line, wrong.Value)
		}
		return fmt.Errorf("%s: line %d: %q must not be a %s", name, line, wrong.Field, wrong.Value)
	}
	return nil
}
