// Package templates holds what a plan renders: one template for each file, named as the file with
// ".tmpl" after it. A name that would hide the file (.gitignore) is written without its dot. Those that
// end in ".yml.tmpl" have "[[" and "]]" for delimiters, as GitHub has its own use for braces.
//
// They render and do not decide: a value that depends on anything is a method or field of the
// generator's model, so that it can be tested without reading text.
package templates

import "embed"

// Files holds the templates.
//
//go:embed *.tmpl
var Files embed.FS
