// Package secret decides what counts as a secret, for every part of the product: which names mark their values
// as secrets, which values look like secrets, and what must not be shown where a process, a library or a
// configuration may have printed it.
//
// The runtime removes secrets from its log and its answers, a server's environment contains only secrets that
// the configuration names, the infrastructure of a project keeps them in a vault, and validate warns of those
// that are written into a configuration. All of them use this package.
package secret

// Redacted stands where a secret was.
const Redacted = "[redacted]"
