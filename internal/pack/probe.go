package pack

import (
	"context"
	"errors"
	"fmt"
	"os/exec"
	"slices"

	"github.com/mcpfunc/mcpfunc/internal/packmanifest"
)

// probe starts every packed server in the stage, as it will be on Azure, records its tools, and compares
// them with those of the lock before.
func (r *run) probe(ctx context.Context) (err error) {
	switch {
	case r.opts.Probe == nil:
		return r.keepTools()
	case !r.file.Fits():
		r.note("", "servers were not started: this machine is not %s", r.lock.Platform)
		return r.keepTools()
	}
	if err := mirror(r.stage, r.opts.Dir); err != nil {
		return err
	}
	seal, err := r.seal()
	if err != nil {
		return err
	}
	defer func() {
		if err = errors.Join(err, unseal(r.stage)); err == nil {
			err = r.keepForks()
		}
	}()
	starter := packmanifest.Starter{File: r.file, Dir: r.stage, Temp: r.work, LookPath: exec.LookPath}
	for _, j := range r.jobs {
		if j.recipe.Kind == KindWritten {
			continue
		}
		if err := r.try(ctx, j, &starter, seal); err != nil {
			return &ServerError{j.name, err}
		}
	}
	return nil
}

func (r *run) try(ctx context.Context, j *job, starter *packmanifest.Starter, seal *sealed) error {
	start := r.file.Servers[j.name].Start
	node := ""
	if start.Interpreter == packmanifest.Node && start.Program == "" {
		node = nodeProgram(ctx, r.opts.Env)
	}
	target := Target{
		Name: j.name, Dir: r.stage, Python: r.python, Node: node, Interpreter: start.Interpreter, Unbuilt: j.unbuilt,
		Launch: func(args []string) (packmanifest.Launch, error) { return starter.Launch(j.name, j.from, args) },
	}
	// A script of the standard library alone has nothing to import that takes long, and a program nothing at all.
	forks := start.Interpreter == packmanifest.Python && j.hasPackages() && !slices.Contains(j.programs, j.recipe.Script)
	var imported []string
	if forks {
		target.Imported = &imported
	}
	var changed []string
	tools, err := r.opts.Probe(ctx, target)
	if err != nil {
		err = fmt.Errorf("the packed server does not answer: %w", err)
	} else if changed, err = seal.changed(); err == nil && len(changed) > 0 {
		err = writeError(changed)
	}
	if err != nil {
		return err
	}
	before, known, err := readTools(r.opts.Dir, j.name)
	if err != nil {
		return err
	}
	if err := writeTools(r.stage, j.name, tools); err != nil {
		return err
	}
	n := len(tools)
	j.report.Tools = &n
	if known {
		j.report.ToolChanges = toolChanges(before, tools)
	}
	r.note(j.name, "answers, with %s", plural(n, "tool"))
	target.Imported = nil
	if forks {
		if err := r.tryFork(ctx, j, &target, seal, imported, tools); err != nil {
			return err
		}
	}
	if r.opts.Record == nil {
		return nil
	}
	r.opts.Record(ctx, target)
	if changed, err = seal.changed(); err == nil && len(changed) > 0 {
		err = writeError(changed)
	}
	return err
}

// keepTools drops what is known of the tools of a server that was resolved again: nobody asked it.
func (r *run) keepTools() error {
	for _, j := range r.jobs {
		tools, known, err := readTools(r.opts.Dir, j.name)
		if err != nil {
			return err
		}
		switch {
		case known && !j.report.Resolved:
			if err := writeTools(r.stage, j.name, tools); err != nil {
				return err
			}
		case known:
			r.note(j.name, "its tools are no longer pinned, because it was not started")
		}
	}
	return nil
}
