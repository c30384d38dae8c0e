package pack

import (
	"errors"
	"os"
	"path/filepath"
	"runtime"
	"testing"
)

func TestToolSaysThatNoRegistryAnswers(t *testing.T) {
	t.Parallel()
	failed := errors.New("exit status 1")
	for said, want := range map[string]string{
		"npm error code EAI_AGAIN\nnpm error syscall getaddrinfo\nnpm error request to https://registry.example/x failed, reason: getaddrinfo EAI_AGAIN registry.example": "npm cannot reach registry.example: EAI_AGAIN",
		"error: Request failed after 3 retries\n  cause: Failed to fetch: https://me:secret@pypi.example:8443/simple/x/\n  cause: dns error":                              "npm cannot reach pypi.example: dns error",
		"npm error   code: 'ECONNREFUSED',\nnpm error   port: 9": "npm cannot reach its registry: ECONNREFUSED",
	} {
		err := (&tool{name: "npm"}).explain(failed, said)
		var refused *RecipeError
		if err.Error() != want || !errors.As(err, &refused) || refused.Hint == "" {
			t.Errorf("%s: %v, want %q with a hint", said, err, want)
		}
	}
	err := (&tool{name: "npm"}).explain(failed, "npm error code E404\nnpm error 404 Not Found - GET https://registry.example/x\nnpm error 404\nnpm error A complete log of this run can be found in: /home/me/x.log")
	if want := "npm: exit status 1: Not Found - GET https://registry.example/x"; err.Error() != want || !errors.Is(err, failed) {
		t.Errorf("%v, want %q", err, want)
	}
}

// A version manager puts scripts on PATH, which find the interpreter by what the environment says.
func TestInterpreterIsTheProgramThatAScriptLeadsTo(t *testing.T) {
	t.Parallel()
	if runtime.GOOS == "windows" {
		return // packing is for Linux, and is tried on a system that has its scripts
	}
	dir := t.TempDir()
	shim := "#!/bin/sh\nprintf '3.12\\n/opt/python/bin/python3.12\\n'\n"
	if err := os.WriteFile(filepath.Join(dir, "python3"), []byte(shim), 0o755); err != nil {
		t.Fatal(err)
	}
	env := []string{"PATH=" + dir}
	if got, want := interpreter(t.Context(), env, "3.12"), "/opt/python/bin/python3.12"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	if got := interpreter(t.Context(), env, "3.11"); got != "" {
		t.Errorf("got %q for a version that is not there", got)
	}
	if got := nodeProgram(t.Context(), env); got != "" {
		t.Errorf("got %q where there is no node", got)
	}
	if err := os.WriteFile(filepath.Join(dir, "node"), []byte("#!/bin/sh\necho /opt/node/bin/node\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	if got, want := nodeProgram(t.Context(), env), "/opt/node/bin/node"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}
