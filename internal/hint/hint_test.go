package hint

import (
	"errors"
	"fmt"
	"io/fs"
	"testing"
)

func TestTheOutermostHintCounts(t *testing.T) {
	t.Parallel()
	plain := fmt.Errorf("read: %w", fs.ErrNotExist)
	inner := With(plain, "look elsewhere")
	outer := With(fmt.Errorf("start: %w", inner), "start later")
	for _, test := range []struct {
		err        error
		text, hint string
	}{
		{plain, "read: file does not exist", ""},
		{inner, "read: file does not exist", "look elsewhere"},
		{outer, "start: read: file does not exist", "start later"},
	} {
		if test.err.Error() != test.text || Of(test.err) != test.hint || !errors.Is(test.err, fs.ErrNotExist) {
			t.Errorf("%q with the hint %q, want %q with %q", test.err, Of(test.err), test.text, test.hint)
		}
	}
}
