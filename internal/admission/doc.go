// Package admission decides which tenants get room, and which are evicted for them: by the limits of the app, of
// a server and of a caller, and by the memory that is left. The tenant that has been idle the longest is evicted
// first.
//
// It knows only tenants, each of which holds a process or is about to.
package admission
