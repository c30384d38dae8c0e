// Package child runs the processes of a server. It starts them, one at a time while a package runner still has
// to download; keeps some prewarmed; carries messages to and from them; notices when one does not read, writes
// without end, or has ended; and says why one ended and whether it may be restarted.
//
// It knows neither sessions nor pools: the owner of a Child decides what is written to it and where its
// messages go.
package child
