// Package secret decides what a secret is, for every part of the product: which names say that their
// values are secrets, which values can be told by their look, and what must not be shown where a process,
// a library or a configuration may have printed it.
//
// The runtime takes secrets out of what it logs and answers, the environment of a server holds none that
// nobody named, the infrastructure of a project keeps them in a vault, and validate warns of those that are
// written out. All of them ask here.
package secret

// Redacted stands where a secret was.
const Redacted = "[redacted]"
