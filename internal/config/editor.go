package config

import "strings"

const (
	hintRelative = "copy what it names into the project, and write a path that is relative to the project"
	hintSetting  = "write ${NAME} and set NAME as an app setting"
)

// editorVariables are variables that a client fills in by itself and that nobody can set for an app:
// what each is, and what to write instead. Those with a colon or a dot begin so. The sources are the
// variables reference of VS Code, the plugins reference of Claude Code, the manifest of MCP bundles
// and the extensions of Gemini CLI.
var editorVariables = []struct{ name, what, hint string }{
	{"workspaceFolder", "the folder that is open in the editor", hintRelative},
	{"workspaceFolder:", "a folder that is open in the editor", hintRelative},
	{"workspaceRoot", "the folder that is open in the editor", hintRelative},
	{"workspacePath", "the folder that is open in the client", hintRelative},
	{"containerWorkspaceFolder", "the project's folder in a dev container", hintRelative},
	{"localWorkspaceFolder", "the project's folder behind a dev container", hintRelative},
	{"workspaceFolderBasename", "the name of the folder that is open in the editor", "write the name itself"},
	{"userHome", "the home folder of the editor's user", hintRelative},
	{"pathSeparator", "the path separator of the editor's machine", `write "/"`},
	{"/", "the path separator of the editor's machine", `write "/"`},
	{"config:", "a setting of the editor", hintSetting},
	{"command:", "the result of an editor's command", hintSetting},
	{"CLAUDE_PLUGIN_ROOT", "the folder of a Claude plugin", hintRelative},
	{"CLAUDE_PLUGIN_DATA", "the data folder of a Claude plugin", hintRelative},
	{"CLAUDE_PROJECT_DIR", "the folder that is open in Claude Code", hintRelative},
	{"extensionPath", "the folder of a Gemini extension", hintRelative},
	{"__dirname", "the folder of a bundle", hintRelative},
	{"user_config.", "a value that a desktop app asks its user for", hintSetting},
}

// EditorVariable says what the variable ${name} is, where it is one that only an editor or another
// client knows, and what to write instead of it.
func EditorVariable(name string) (what, hint string, ok bool) {
	for _, v := range editorVariables {
		family := strings.HasSuffix(v.name, ":") || strings.HasSuffix(v.name, ".")
		if name == v.name || family && strings.HasPrefix(name, v.name) {
			return v.what, v.hint, true
		}
	}
	return "", "", false
}
