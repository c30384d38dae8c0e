// The command vetsource runs the checks of go vet from source alone: type errors of packages and their tests,
// and what its analyzers find. go vet compiles all dependencies first, which takes ten times as long on a
// system for which nothing else is built. CI runs it.
//
//	GOOS=windows vetsource ./...
package main

import (
	"golang.org/x/tools/go/analysis/multichecker"
	"golang.org/x/tools/go/analysis/suite/vet"
)

func main() { multichecker.Main(vet.Suite...) }
