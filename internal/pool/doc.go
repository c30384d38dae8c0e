// Package pool runs the processes that requests without a session share, as from MCP 2026-07-28 on: a
// pool per caller and server, with a few Workers, to each of which we are the only client.
//
// Share finds or starts a Worker, Continue finds the one that asked for input, Worker.Send passes a request on, and the Call that it returns brings
// what comes for it. A Call has an id of ours with its process, and whatever the process says names what
// it belongs to. No request reaches a process that was not found to speak that era.
package pool
