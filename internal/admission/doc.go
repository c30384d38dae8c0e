// Package admission decides who gets room, and who makes it: by the limits of the app, of a server and
// of a caller, and by the memory that is left. Who has been idle the longest goes first.
//
// It knows tenants alone, each of which holds a process or is about to.
package admission
