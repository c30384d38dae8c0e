package cli

import (
	"errors"

	"github.com/AlecAivazis/survey/v2"
	"github.com/AlecAivazis/survey/v2/terminal"

	screentext "github.com/mcpfunc/mcpfunc/internal/terminal"
)

// A Prompter asks the person at the terminal. Every method returns errInterrupted on Ctrl-C.
//
// The three methods keep survey, which its author has archived, replaceable.
type Prompter interface {
	// Input asks for a line. An answer that check refuses is asked for again; check may be nil.
	Input(question, offered string, check func(string) error) (string, error)
	// Select asks for one of options, of which the first is offered, and returns its index.
	Select(question string, options []string) (int, error)
	// Confirm asks for yes or no, and offers yes.
	Confirm(question string) (bool, error)
}

// surveyPrompter prompts on standard error, so that standard output carries results only.
type surveyPrompter struct {
	in  terminal.FileReader
	out terminal.FileWriter
}

func (p *surveyPrompter) Input(question, offered string, check func(string) error) (answer string, err error) {
	var opts []survey.AskOpt
	if check != nil {
		opts = append(opts, survey.WithValidator(func(v any) error { return check(v.(string)) }))
	}
	err = p.ask(&survey.Input{Message: screentext.Line(question), Default: screentext.Line(offered)}, &answer, opts...)
	return answer, err
}

func (p *surveyPrompter) Select(question string, options []string) (answer int, err error) {
	shown := make([]string, len(options))
	for i, option := range options {
		shown[i] = screentext.Line(option)
	}
	err = p.ask(&survey.Select{Message: screentext.Line(question), Options: shown}, &answer)
	return answer, err
}

func (p *surveyPrompter) Confirm(question string) (answer bool, err error) {
	err = p.ask(&survey.Confirm{Message: screentext.Line(question), Default: true}, &answer)
	return answer, err
}

func (p *surveyPrompter) ask(prompt survey.Prompt, answer any, opts ...survey.AskOpt) error {
	err := survey.AskOne(prompt, answer, append(opts, survey.WithStdio(p.in, p.out, p.out))...)
	if errors.Is(err, terminal.InterruptErr) {
		return errInterrupted
	}
	return err
}
