package hostemu

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strconv"
	"strings"
)

// lookup returns the value of name in key=value entries, of which the last one counts.
func lookup(env []string, name string) (string, bool) {
	for i := len(env) - 1; i >= 0; i-- {
		key, value, _ := strings.Cut(env[i], "=")
		if key == name || runtime.GOOS == "windows" && strings.EqualFold(key, name) {
			return value, true
		}
	}
	return "", false
}

// localSettings returns env behind the Values of local.settings.json, as `func start` merges them:
// what the environment already has wins. Having no such file is right.
func localSettings(dir string, env []string) ([]string, error) {
	const name = "local.settings.json"
	if _, err := os.Stat(filepath.Join(dir, name)); os.IsNotExist(err) {
		return env, nil
	}
	var file struct {
		IsEncrypted bool
		Values      map[string]any
	}
	if err := readJSON(dir, name, &file); err != nil {
		return nil, err
	}
	if file.IsEncrypted {
		return nil, fmt.Errorf("%s: encrypted settings cannot be read here; decrypt them with `func settings decrypt`", name)
	}
	var values []string
	for key, value := range file.Values {
		switch value.(type) {
		case map[string]any, []any:
			return nil, fmt.Errorf(`%s: "Values.%s" must be a string`, name, key)
		case nil:
			value = ""
		}
		values = append(values, fmt.Sprintf("%s=%v", key, value))
	}
	slices.Sort(values) // names that differ in case only must not take turns
	return append(values, env...), nil
}

// hostEnv returns env with what a host running locally adds to it; address is where it listens.
func hostEnv(env []string, address string) []string {
	host := append(env[:len(env):len(env)], "WEBSITE_HOSTNAME="+address)
	for _, local := range []string{"AZURE_FUNCTIONS_ENVIRONMENT=Development", "FUNCTIONS_CORETOOLS_ENVIRONMENT=True"} {
		name, _, _ := strings.Cut(local, "=")
		if _, ok := lookup(env, name); !ok {
			host = append(host, local)
		}
	}
	return host
}

// handlerEnv returns what the handler gets: all of the host's environment, secrets included, and
// where it is to listen (HttpWorkerProcess.cs).
func handlerEnv(host []string, root, worker string, port int) []string {
	number := strconv.Itoa(port)
	return append(host[:len(host):len(host)],
		"FUNCTIONS_CUSTOMHANDLER_PORT="+number,
		"FUNCTIONS_HTTPWORKER_PORT="+number,
		"FUNCTIONS_CUSTOMHANDLER_WORKER_ID="+worker,
		"FUNCTIONS_HTTPWORKER_ID="+worker,
		"FUNCTIONS_APP_ROOT_PATH="+root,
	)
}

var reference = regexp.MustCompile(`%(.+?)%`)

// expand replaces %NAME% by the variable's value, and by nothing when there is no such variable.
func expand(text string, env []string) string {
	return reference.ReplaceAllStringFunc(text, func(ref string) string {
		value, _ := lookup(env, ref[1:len(ref)-1])
		return value
	})
}

// isFile reports whether path names something that is there and no directory.
func isFile(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.Mode()&fs.ModeDir == 0
}
