package pack

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/mcpfunc/mcpfunc/internal/hint"
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
		t.Errorf("got %q for a version that does not exist", got)
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

func TestToolSaysTheCause(t *testing.T) {
	t.Parallel()
	build := "npm error code 1\nnpm error path /x/node_modules/sqlite\nnpm error command failed\nnpm error command sh -c node-gyp rebuild\n"
	for n := range 40 {
		build += fmt.Sprintf("npm error   CXX(target) Release/obj.target/%d.o\n", n)
	}
	build += "npm error ../src/a.cpp:7:10: fatal error: no_such.h: No such file or directory\n" +
		"npm error make: *** [a.o] Error 1\nnpm error gyp ERR! build error\nnpm error gyp ERR! stack Error: `make` failed with exit code: 2\n" +
		"npm error gyp ERR! System Linux\nnpm error gyp ERR! not ok\nnpm error A complete log of this run can be found in: /home/me/x.log"
	for name, c := range map[string]struct{ said, want string }{
		"peers": {
			"npm error code ERESOLVE\nnpm error ERESOLVE unable to resolve dependency tree\nnpm error\nnpm error While resolving: packed@undefined\nnpm error Found: react@18.0.0\n" +
				"npm error Could not resolve dependency:\nnpm error peer react@\"17.0.2\" from react-dom@17.0.2\nnpm error Fix the upstream dependency conflict, or retry\n" +
				"npm error For a full report see:\nnpm error /home/u/x-eresolve-report.txt",
			"unable to resolve dependency tree\nWhile resolving: packed@undefined\nFound: react@18.0.0\nCould not resolve dependency:\npeer react@\"17.0.2\" from react-dom@17.0.2",
		},
		"version": {
			"npm error code ETARGET\nnpm error notarget No matching version found for left-pad@99.\nnpm error notarget In most cases you or one of your dependencies are requesting a package version that doesn't exist.",
			"No matching version found for left-pad@99.",
		},
		"build": {
			build,
			"path /x/node_modules/sqlite\ncommand sh -c node-gyp rebuild\n../src/a.cpp:7:10: fatal error: no_such.h: No such file or directory\n" +
				"make: *** [a.o] Error 1\ngyp ERR! build error\ngyp ERR! stack Error: `make` failed with exit code: 2",
		},
	} {
		if diff := cmp.Diff(c.want, plainly(c.said)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
	if got := hint.Of((&tool{name: "npm"}).explain(errors.New("exit status 1"), build)); !strings.Contains(got, "compiler") {
		t.Errorf("the hint is %q", got)
	}
}

func TestPythonThatIsTooOldIsNamed(t *testing.T) {
	t.Parallel()
	r := &run{lock: &Lock{Settings: Settings{Python: "3.9"}}}
	err := r.explainBuild(errors.New("the requested Python version (>=3.9) does not satisfy Python>=3.10 and all versions of a depend on Python>=3.10"))
	if got := hint.Of(err); !strings.Contains(got, "--python 3.10 ") {
		t.Errorf("the hint is %q", got)
	}
	r.lock.Python = "3.14"
	err = r.explainBuild(errors.New("the requested Python version (>=3.14) does not satisfy Python>=3.10,<3.14"))
	if got := hint.Of(err); !strings.HasPrefix(got, "use --python to pack") {
		t.Errorf("the hint is %q", got)
	}
}

// uv leaves a release out that has no wheel, and says nothing of it.
func TestReleaseThatNeedsABuildIsNamed(t *testing.T) {
	t.Parallel()
	if runtime.GOOS == "windows" {
		return // the stand-in for uv is a script
	}
	dir := files(t, map[string]string{
		"bin/uv": `#!/bin/sh
case " $* " in
*" --no-build "*) printf 'some-server==1.0\nanyio==4.0\n' ;;
*) printf 'some-server==2.0\nanyio==4.0\n' ;;
esac
`,
		"mcp_lock/x/requirements.txt": requirements,
	})
	if err := os.Chmod(filepath.Join(dir, "bin", "uv"), 0o755); err != nil {
		t.Fatal(err)
	}
	r := &run{stage: dir, work: dir, lock: &Lock{Platform: Platform, Settings: Settings{Python: "3.12"}}, opts: &Options{Dir: dir, Env: []string{"PATH=" + filepath.Join(dir, "bin") + ":/bin:/usr/bin"}}}
	j := &job{plan: &plan{name: "x", recipe: &Recipe{Kind: KindPython, Requires: []string{"Some.Server[cli]>=1", "anyio"}}}}
	want := []Change{{Package: "some-server", Was: "2.0", Is: "1.0"}}
	if diff := cmp.Diff(want, r.passedOver(t.Context(), j)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	r.lock.Scripts = true
	if got := r.passedOver(t.Context(), j); got != nil {
		t.Errorf("where everything may be built there is %v", got)
	}
}

func TestLockingsAreWhatWasAskedFor(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		kind     Kind
		requires []string
		all      []component
	}{
		{KindPython, []string{"Some_Server[cli]>=1"}, []component{{ecosystem: "pypi", name: "other", version: "9"}, {ecosystem: "pypi", name: "some-server", version: "1.0"}}},
		{KindNode, []string{"@a/some-server@latest"}, []component{{name: "@a/some-server", version: "2", path: "node_modules/b/node_modules/@a/some-server"}, {name: "some-server", version: "1.0", path: "node_modules/@a/some-server"}}},
		{KindDotnet, []string{"Some-Server@1.*"}, []component{{ecosystem: "nuget", name: "some-server", version: "1.0"}}},
	} {
		if diff := cmp.Diff([]Locking{{"some-server", "1.0"}}, lockings(c.kind, c.requires, c.all)); diff != "" {
			t.Errorf("%v (-want +got):\n%s", c.requires, diff)
		}
	}
}
