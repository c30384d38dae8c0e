package pack

import (
	"fmt"
	"regexp"
	"strings"

	"github.com/mcpfunc/mcpfunc/internal/hint"
)

// explain makes an error of what a tool said when it ended with err.
func (t *tool) explain(err error, said string) error {
	if whys := unreachable.FindAllString(said, -1); len(whys) > 0 {
		where := "its registry"
		if host := registryHost.FindStringSubmatch(said); host != nil {
			where = host[1]
		}
		return refuse("packing needs the network: check the connection, HTTPS_PROXY and the registry that "+t.name+" is configured for",
			"%s cannot reach %s: %s", t.name, where, whys[len(whys)-1]) // causes follow what they cause
	}
	err = fmt.Errorf("%s: %w: %s", t.name, err, plainly(said))
	if strings.Contains(said, "gyp ERR!") {
		return hint.With(err, "a package must be built from source: install python3, make and a C++ compiler, or use a release that supports this version of Node")
	}
	return err
}

var (
	// unreachable is what npm (Node's codes of errors) and uv say when no registry answers.
	unreachable = regexp.MustCompile(`\b(?:EAI_AGAIN|ENOTFOUND|ECONNREFUSED|ECONNRESET|ENETUNREACH|EHOSTUNREACH|ETIMEDOUT|dns error|tcp connect error|operation timed out|error sending request)\b`)

	// registryHost is the host of an address, without what may stand before it: a user's name and password.
	registryHost = regexp.MustCompile(`https?://(?:[^/\s@]*@)?([^/\s:@)]+)`)

	// npmMargin is what npm puts before its lines: a level, and for some failures their code again.
	npmMargin = regexp.MustCompile(`^npm (?:error|ERR!)(?: (?:404|notarget|ERESOLVE|EBADENGINE))?\s*`)

	// noise is what tools say besides the cause: codes, where their logs are, advice for another place, and the
	// machine.
	noise = regexp.MustCompile(`^(?:code (?:E|\d)|A complete log of this run|Note that you can also install from|tarball, folder, http url, or git url\.$|` +
		`In most cases you or one of your dependencies|Fix the upstream dependency conflict|For a full report see:|\S*-report\.txt$|command failed$|` +
		`gyp (?:info|http|verb)\b|gyp ERR! (?:System|command|cwd|node|node-gyp|not ok|stack\s+at|\$)|make(?:\[\d+\])?: (?:Entering|Leaving) directory)`)

	// causal is a line of a long text that may say why.
	causal = regexp.MustCompile(`(?i)\berror\b|ERR!|\bfatal\b|not found|no such file|cannot |could not|unsupported|failed`)
)

// causeLines is how many lines of what a tool said are shown.
const causeLines = 12

// plainly takes what is no cause out of what a tool said. Of a text that is still long, as that of a compiler, it
// keeps what the tool was at, the first lines that name a fault, which the later ones follow from, and the end.
func plainly(said string) string {
	var lines []string
	for line := range strings.Lines(said) {
		line = strings.TrimSpace(npmMargin.ReplaceAllString(strings.TrimSpace(line), ""))
		if line != "" && !noise.MatchString(line) {
			lines = append(lines, line)
		}
	}
	if len(lines) <= causeLines {
		return strings.Join(lines, "\n")
	}
	const head, tail = 2, 3
	kept := append([]string{}, lines[:head]...)
	for _, line := range lines[head : len(lines)-tail] {
		if len(kept) < causeLines-tail && causal.MatchString(line) {
			kept = append(kept, line)
		}
	}
	if len(kept) == head { // nothing is called a fault: what went wrong is said last
		return strings.Join(lines[len(lines)-causeLines:], "\n")
	}
	return strings.Join(append(kept, lines[len(lines)-tail:]...), "\n")
}
