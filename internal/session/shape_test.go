package session

import (
	"go/ast"
	"go/parser"
	"go/token"
	"path/filepath"
	"reflect"
	"strings"
	"sync"
	"testing"
)

// A Session is to be understood by who reads it: what it does not have to do itself is done by what it
// has, a router, a handshake, a link to its process.
const (
	maxMethods = 30
	maxMutexes = 1
)

func TestSessionIsSmall(t *testing.T) {
	t.Parallel()
	if names := methodsOf(t, "Session"); len(names) > maxMethods || len(names) == 0 {
		t.Errorf("Session has %d methods, want at most %d: %s", len(names), maxMethods, strings.Join(names, ", "))
	}
	if n := mutexesIn(reflect.TypeFor[Session]()); n != maxMutexes {
		t.Errorf("Session has %d mutexes, want %d", n, maxMutexes)
	}
}

// methodsOf lists the methods of a type of this package, tests left out.
func methodsOf(t *testing.T, name string) (methods []string) {
	t.Helper()
	paths, err := filepath.Glob("*.go")
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range paths {
		if strings.HasSuffix(path, "_test.go") {
			continue
		}
		file, err := parser.ParseFile(token.NewFileSet(), path, nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		for _, d := range file.Decls {
			f, ok := d.(*ast.FuncDecl)
			if !ok || f.Recv == nil {
				continue
			}
			receiver := f.Recv.List[0].Type
			if star, ok := receiver.(*ast.StarExpr); ok {
				receiver = star.X
			}
			if id, ok := receiver.(*ast.Ident); ok && id.Name == name {
				methods = append(methods, f.Name.Name)
			}
		}
	}
	return methods
}

// mutexesIn counts the mutexes that a struct holds, itself or in the structs that it holds.
func mutexesIn(typ reflect.Type) (n int) {
	switch {
	case typ == reflect.TypeFor[sync.Mutex](), typ == reflect.TypeFor[sync.RWMutex]():
		return 1
	case typ.Kind() == reflect.Struct && !strings.HasPrefix(typ.PkgPath(), "sync"):
		for i := range typ.NumField() {
			n += mutexesIn(typ.Field(i).Type)
		}
	}
	return n
}
