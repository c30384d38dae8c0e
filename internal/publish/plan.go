package publish

// Plan says what publishing does, a line each: in words, or as a command that can be typed.
func (p *Publisher) Plan() []string {
	lines := []string{"build the handler for linux/amd64", "check what would fail on Azure"}
	if p.project.Packed {
		lines = append([]string{"pack what is locked, unless it is packed"}, lines...)
	}
	if p.az != "" {
		lines = append(lines, p.keyPlan()...)
	}
	switch p.tool {
	case "func":
		lines = append(lines, p.inDir(CommandLine("func", p.funcArgs())))
		if p.az == "" {
			lines = append(append(lines, "elsewhere, as az is not on PATH:"), p.keyPlan()...)
		}
	case "az":
		lines = append(lines, "zip the project as func would: app.zip", CommandLine("az", p.zipArgs(p.groupOr("GROUP"), "app.zip")))
	default:
		lines = append(lines, p.Elsewhere()...)
	}
	return lines
}

// Elsewhere is what to run on a machine that has, or is to have, func and az.
func (p *Publisher) Elsewhere() []string {
	return append(p.keyPlan(),
		"npm install -g azure-functions-core-tools@4",
		p.inDir(CommandLine("func", p.funcArgs())),
	)
}

// keyPlan is what publishing does about the session key.
func (p *Publisher) keyPlan() []string {
	var lines []string
	if p.project.Group == "" {
		lines = append(lines, CommandLine("az", p.groupArgs())+"     prints GROUP")
	}
	return append(lines,
		CommandLine("az", p.hasKeyArgs(p.groupOr("GROUP")))+"     prints whether the app has a session key; if not:",
		p.keyLine())
}

// keyLine is a command that gives the app a new key.
func (p *Publisher) keyLine() string {
	return "mcpfunc key --json | " + CommandLine("az", p.setKeyArgs(p.groupOr("GROUP")))
}

func (p *Publisher) inDir(line string) string {
	if p.project.Dir == "." {
		return line
	}
	return CommandLine("cd", []string{p.project.Dir}) + " && " + line
}
