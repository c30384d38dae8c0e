package generator

import (
	"os/exec"
	"strings"
	"testing"
)

// TestReservedModulesCoverTheStandardLibrary asks the toolchain what it keeps for itself.
func TestReservedModulesCoverTheStandardLibrary(t *testing.T) {
	t.Parallel()
	out, err := exec.CommandContext(t.Context(), "go", "list", "std", "cmd").Output()
	if err != nil {
		t.Fatal(err)
	}
	for pkg := range strings.FieldsSeq(string(out)) {
		first, _, _ := strings.Cut(pkg, "/")
		// These two are the library's, and a main package may have their names all the same.
		if first != "internal" && first != "vendor" && !reservedModule(pkg) {
			t.Errorf("package %s is Go's own, and a project may have its name", pkg)
		}
	}
}

func TestModuleOfAnAppWithANameOfGo(t *testing.T) {
	t.Parallel()
	for name, want := range map[string]string{"time": "time-app", "std": "std-app", "weather": "weather", "times": "times", "Time": "Time"} {
		if got := moduleFor(name); got != want || reservedModule(got) {
			t.Errorf("moduleFor(%q) = %q, want %q", name, got, want)
		}
	}
	if !reservedModule("net/app") {
		t.Error("net/app would be inside of the standard library")
	}
}
