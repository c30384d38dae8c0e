// Package hint attaches a hint to an error: the sentence that says what to do about it.
package hint

import "errors"

// With returns err with a hint: an imperative sentence without a full stop. The text of the error stays
// as it is, and so does what it wraps.
func With(err error, text string) error { return &hinted{err, text} }

// Of returns the outermost hint of err, or nothing where it carries none.
func Of(err error) string {
	if h := (*hinted)(nil); errors.As(err, &h) {
		return h.text
	}
	return ""
}

type hinted struct {
	err  error
	text string
}

func (h *hinted) Error() string { return h.err.Error() }
func (h *hinted) Unwrap() error { return h.err }
