// Package pool runs the processes that requests without a session share, from MCP 2026-07-28 on: one pool per
// caller and server, with a few Workers. We are the only client of each Worker.
//
// Share finds or starts a Worker, Continue finds the one that asked for input, Worker.Send passes a request on,
// and the Call that it returns receives the messages for it. A Call has an id of ours with its process, and every
// message of the process names the call that it belongs to. No request reaches a process before it was found to
// speak this era.
package pool
