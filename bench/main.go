// Command bench measures the handler against raw pipes, against what net/http costs by itself, and
// against other bridges from stdio to streamable HTTP, all in one run:
//
//	bench/install.sh      once: the peers, into a cache directory
//	go run ./bench        writes docs/performance.md and docs/performance.svg
//
// Every contender is a process of its own, started again for every measure. In each round every
// contender does each measure once; what is reported are medians over the rounds. The client is the
// same for all, and it checks every byte: an answer that is wrong, lost, doubled or out of order is
// an error, and errors are on the page. Everything runs on the loopback interface.
package main

import (
	"cmp"
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

func main() {
	if len(os.Args) == 3 && (os.Args[1] == floor || os.Args[1] == host) {
		serve := serveFloor
		if os.Args[1] == host {
			serve = serveHost
		}
		if err := serve(os.Args[2]); err != nil {
			fmt.Fprintln(os.Stderr, "bench:", err)
			os.Exit(1)
		}
		return
	}
	if err := bench(os.Args[1:], os.Stderr); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

func bench(args []string, stderr io.Writer) error {
	flags := flag.NewFlagSet("bench", flag.ContinueOnError)
	quick := flags.Bool("quick", false, "one short round, to see that everything works; without peers unless -peers is given")
	rounds := flags.Int("rounds", fullScale.rounds, "`number` of rounds")
	within := flags.Duration("within", 25*time.Minute, "no round is begun that would most likely end later")
	load := flags.Duration("load", fullScale.load, "how long one load lasts")
	only := flags.String("only", "", "`contenders`, separated by commas; "+raw+" and "+floor+" are always there")
	what := flags.String("measure", "", "`measures` whose name contains one of these, separated by commas")
	peers := flags.Bool("peers", true, "measure the peers that bench/install.sh installed")
	out := flags.String("out", filepath.Join("docs", "performance.md"), "`file` to write the page to; - for stdout")
	svg := flags.String("svg", filepath.Join("docs", "performance.svg"), "`file` to write the plot to; empty for none")
	profile := flags.String("profile", "", "`directory` for CPU and allocation profiles of the handler, one a measure; nothing else is measured")
	other := flags.String("against", "", "another `build` of the handler, which becomes one more contender, to see what a change does")
	with := flags.String("with", "", "`variables` of the environment, separated by blanks, with which the handler becomes one more contender: \"GOMAXPROCS=2 GOGC=400\"")
	flags.StringVar(&frontProgram, "front", frontProgram, "`program` that is the HTTP path of the Functions host")
	if err := flags.Parse(args); err != nil {
		return err
	}
	given := map[string]bool{}
	flags.Visit(func(f *flag.Flag) { given[f.Name] = true })

	s := fullScale
	s.within = *within
	if *quick {
		s = quickScale
		s.within = *within
		*peers = *peers && given["peers"]
	}
	if given["rounds"] || !*quick {
		s.rounds = *rounds
	}
	if given["load"] {
		s.load = *load
	}
	contenders := ourContenders()
	if *peers {
		contenders = append(contenders, peerContenders()...)
	}
	if *other != "" || *with != "" {
		c, err := otherHandler(*other, strings.Fields(*with))
		if err != nil {
			return err
		}
		contenders = append(contenders, c)
		if *only != "" {
			*only += "," + against
		}
	}
	contenders, err := choose(contenders, *only, *profile != "")
	if err != nil {
		return err
	}
	all := slices.DeleteFunc(measures(s), func(m measure) bool { return *what != "" && !containsAny(m.name, strings.Split(*what, ",")) })
	if len(all) == 0 {
		return fmt.Errorf("no measure has %q in its name", *what)
	}
	l, err := newLab()
	if err != nil {
		return err
	}
	defer l.close()
	if *profile != "" {
		if l, err = l.profiled(*profile); err != nil {
			return err
		}
	}
	res, err := run(l, s, contenders, all, stderr)
	if err != nil {
		return err
	}
	if *profile == "" && !*quick {
		if res.profiles, err = profiles(l, s, all, stderr); err != nil {
			return err
		}
	}
	if err := write(*out, res.page(filepath.Base(*svg), commandLine(args))); err != nil {
		return err
	}
	if *svg != "" && *out != "-" {
		if err := write(*svg, res.plot()); err != nil {
			return err
		}
	}
	if res.wrong(raw, floor, ours, prewarmed, known, sandboxed, host, shared, elsewhere, front) {
		return fmt.Errorf("something went wrong that is ours: see %s", *out)
	}
	return nil
}

// choose returns the contenders that are named, in the order of the page. Profiles are of the handler, and of no
// reference.
func choose(all []contender, only string, profile bool) ([]contender, error) {
	names := []string{raw, floor}
	if profile {
		only, names = cmp.Or(only, ours), nil
	}
	if only == "" {
		return all, nil
	}
	for name := range strings.SplitSeq(only, ",") {
		if !slices.ContainsFunc(all, func(c contender) bool { return c.name == name }) {
			return nil, fmt.Errorf("there is no contender %q", name)
		}
		names = append(names, name)
	}
	return slices.DeleteFunc(all, func(c contender) bool { return !slices.Contains(names, c.name) }), nil
}

// commandLine is what was typed, for the page.
func commandLine(args []string) string {
	line := "go run ./bench"
	for _, arg := range args {
		if strings.ContainsAny(arg, " *?") {
			arg = "'" + arg + "'"
		}
		line += " " + arg
	}
	return line
}

func containsAny(text string, parts []string) bool {
	return slices.ContainsFunc(parts, func(part string) bool { return strings.Contains(text, part) })
}

func write(path, text string) error {
	if path == "-" {
		_, err := io.WriteString(os.Stdout, text)
		return err
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return err
	}
	return os.WriteFile(path, []byte(text), 0o644)
}
