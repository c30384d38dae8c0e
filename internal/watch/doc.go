// Package watch shows a developer the messages between clients and processes: in the log, and through a Sink,
// which is the page of mcpfunc dev in builds that include it.
//
// Sessions report to a Recorder. A nil Recorder, which a nil Hub returns, accepts every report and does nothing,
// so that reporting takes one line and costs one comparison.
//
// Bodies pass through the app's redactor before they are cut, so that no part of a secret is left at the cut.
package watch
