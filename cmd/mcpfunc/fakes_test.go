package main

import (
	"archive/zip"
	"encoding/json"
	"fmt"
	"os"
	"slices"
	"strings"
)

// fakeFunc is Azure Functions Core Tools as far as publishing goes: it looks for host.json in its
// folder, wants to know the stack, and says where it published to. FAKE_FUNC_VERSION is its version,
// FAKE_EXIT the code that it ends with. What it was called with goes to the file $FAKE_LOG.
func fakeFunc() {
	args := os.Args[1:]
	if slices.Equal(args, []string{"--version"}) {
		fmt.Println(os.Getenv("FAKE_FUNC_VERSION"))
		return
	}
	record("func", args)
	switch {
	case len(args) < 4 || !slices.Equal(args[:3], []string{"azure", "functionapp", "publish"}):
		refuse("Unknown command.")
	case !exists("host.json"):
		refuse("Unable to find project root. Expecting to find one of host.json in project root.")
	case !slices.ContainsFunc(args[4:], func(a string) bool { return slices.Contains([]string{"--custom", "--python", "--node"}, a) }):
		refuse("Worker runtime cannot be 'None'. Please set a valid runtime.")
	}
	fmt.Println("Deployment completed successfully to", args[3])
	end()
}

// fakeAz is the Azure CLI likewise: it knows one app, which is in $FAKE_GROUP, at $FAKE_HOST, and whose settings are
// the object in the file $FAKE_SETTINGS, and lists what is in the package that it gets.
func fakeAz() {
	args := os.Args[1:]
	if len(args) > 0 && args[0] == "version" {
		fmt.Printf(`{"azure-cli": %q, "azure-cli-core": "2.0.0"}`+"\n", os.Getenv("FAKE_AZ_VERSION"))
		return
	}
	command := strings.Join(args[:slices.IndexFunc(append(args, "-"), func(a string) bool { return strings.HasPrefix(a, "-") })], " ")
	record("az", args)
	switch command {
	case "functionapp list":
		answer := "FAKE_GROUP"
		if slices.ContainsFunc(args, func(a string) bool { return strings.HasSuffix(a, ".defaultHostName") }) {
			answer = "FAKE_HOST"
		}
		if text := os.Getenv(answer); text != "" {
			fmt.Println(text)
		}
	case "functionapp config appsettings list":
		const query = "[?name=='MCPFUNC_SESSION_KEY'].name" // the only one that it understands
		if !slices.Contains(args, query) {
			refuse("argument --query: invalid jmespath_type value")
		}
		if _, there := settings()["MCPFUNC_SESSION_KEY"]; there {
			fmt.Println("MCPFUNC_SESSION_KEY")
		}
	case "functionapp config appsettings set":
		if i := slices.Index(args, "--settings"); i < 0 || i+1 == len(args) || args[i+1] != "@-" {
			refuse("the following arguments are required: --settings")
		}
		set := settings()
		if err := json.NewDecoder(os.Stdin).Decode(&set); err != nil {
			refuse(err.Error())
		}
		data, err := json.Marshal(set)
		if err == nil {
			err = os.WriteFile(os.Getenv("FAKE_SETTINGS"), data, 0o600)
		}
		if err != nil {
			refuse("You do not have permission to perform this action.")
		}
		fmt.Fprintln(os.Stderr, "App settings have been redacted. Use `az webapp/logicapp/functionapp config appsettings list` to view.")
	case "keyvault list-deleted":
		if slices.Contains(args, "[?properties.tags.\"azd-env-name\"=='prod'].name") {
			fmt.Println("kv-gone")
		}
	case "functionapp deployment source config-zip":
		i := slices.Index(args, "--src")
		if i < 0 || i+1 == len(args) {
			refuse("the following arguments are required: --src")
		}
		z, err := zip.OpenReader(args[i+1])
		if err != nil {
			refuse(err.Error())
		}
		defer z.Close()
		for _, f := range z.File {
			fmt.Println(f.Mode(), f.Name)
		}
		end()
	default:
		refuse("'" + command + "' is misspelled or not recognized by the system.")
	}
}

// fakeAzd is the Azure Developer CLI as its hooks see it: it adds the file of variables that it is given to
// $FAKE_SETTINGS, and ends with the code $FAKE_EXIT.
func fakeAzd() {
	args := os.Args[1:]
	if slices.Equal(args, []string{"version"}) {
		fmt.Println("azd version 1.20.0 (commit abc)")
		return
	}
	if len(args) != 4 || !slices.Equal(args[:3], []string{"env", "set", "--file"}) {
		refuse("Error: unknown command")
	}
	data, err := os.ReadFile(args[3])
	if info, e := os.Stat(args[3]); err == nil && e == nil && info.Mode().Perm() != 0o600 {
		refuse("others can read the file")
	}
	if err == nil && os.Getenv("FAKE_EXIT") == "" {
		err = os.WriteFile(os.Getenv("FAKE_SETTINGS"), data, 0o600)
	}
	if err != nil {
		refuse(err.Error())
	}
	record("azd", append(args[:3:3], "FILE"))
	end()
}

// settings are those of the app.
func settings() map[string]string {
	var set map[string]string
	data, err := os.ReadFile(os.Getenv("FAKE_SETTINGS"))
	if err == nil {
		err = json.Unmarshal(data, &set)
	}
	if err != nil {
		refuse(err.Error())
	}
	return set
}

// record adds a line to the log of what was called. A path below the temporary folder is one that
// nobody can foresee.
func record(program string, args []string) {
	for i, a := range args {
		if strings.HasPrefix(a, os.TempDir()) && strings.HasSuffix(a, "app.zip") {
			args = append(append(slices.Clone(args[:i]), "TMP/app.zip"), args[i+1:]...)
		}
	}
	f, err := os.OpenFile(os.Getenv("FAKE_LOG"), os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o644)
	if err == nil {
		_, err = fmt.Fprintln(f, program, strings.Join(args, " "))
	}
	if err != nil {
		refuse(err.Error())
	}
	f.Close()
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}

func refuse(why string) {
	fmt.Fprintln(os.Stderr, why)
	os.Exit(1)
}

func end() {
	if code := os.Getenv("FAKE_EXIT"); code != "" {
		var n int
		fmt.Sscan(code, &n)
		os.Exit(n)
	}
}
