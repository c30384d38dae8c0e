// Package watch keeps the last of what clients and processes say to each other, for a developer to
// look at: in the log, and on the page of mcpfunc dev.
//
// Sessions report to a Recorder. A nil Recorder, which is what a nil Hub gives, takes every report
// and does nothing, so that whoever reports writes one line and pays for one comparison.
//
// Everything is bounded, and the oldest goes first. Bodies pass through the app's redactor before
// they are cut, so that no half of a secret is left at the cut.
package watch
