// Package watch tells a developer what clients and processes say to each other: in the log, and
// through a Sink, which is the page of mcpfunc dev in builds that have one.
//
// Sessions report to a Recorder. A nil Recorder, which is what a nil Hub gives, takes every report
// and does nothing, so that a reporter writes one line and pays for one comparison.
//
// Bodies pass through the app's redactor before they are cut, so that no half of a secret is left at
// the cut.
package watch
