// Package chaos lets servers, handlers and clients die and misbehave, and counts what should not be
// there afterwards: processes, calls without an answer, answers that are another's, memory.
//
// Everything is a process of its own, as in production: the test binary starts itself again as the
// handler, as the MCP server and as what such a server leaves behind. Each of them ends by itself
// when the suite does. Nothing but loopback is used.
//
// The tests have the build tag chaos, and with -short the same ways at a smaller scale:
//
//	go test -tags chaos -v -timeout 30m ./test/chaos
//	go test -tags chaos -short -race ./test/chaos
//
// Under -race memory is not compared: the race detector's own never shrinks. With the tag e2e
// besides, the servers of test/e2e/tools/install.sh die too. CHAOS_SEED repeats the dice of an earlier
// run, which prints its own. TestNeighboursNoticeNothing needs all walls: seccomp and Linux 6.12.
package chaos
