// Package child runs the processes of a server: it starts them, one after the other where a package
// runner still has to download, keeps some started ahead, carries messages to and from them, notices
// those that do not read, write without end or are gone, and says why one ended and whether it may be
// started again.
//
// It knows neither sessions nor pools: the owner of a Child decides what is written to it and where what
// it says goes.
package child
