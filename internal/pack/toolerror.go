package pack

import (
	"fmt"
	"regexp"
	"strings"
)

// explain makes an error of what a tool said when it ended with err.
func (t *tool) explain(err error, said string) error {
	if whys := unreachable.FindAllString(said, -1); len(whys) > 0 {
		where := "its registry"
		if host := registryHost.FindStringSubmatch(said); host != nil {
			where = host[1]
		}
		return refuse("packing downloads: is there a network, are HTTPS_PROXY and the registry that "+t.name+" is configured for right?",
			"%s cannot reach %s: %s", t.name, where, whys[len(whys)-1]) // causes follow what they cause
	}
	return fmt.Errorf("%s: %w: %s", t.name, err, plainly(said))
}

var (
	// unreachable is what npm (Node's codes of errors) and uv say when no registry answers.
	unreachable = regexp.MustCompile(`\b(?:EAI_AGAIN|ENOTFOUND|ECONNREFUSED|ECONNRESET|ENETUNREACH|EHOSTUNREACH|ETIMEDOUT|dns error|tcp connect error|operation timed out|error sending request)\b`)

	// registryHost is the host of an address, without what may stand before it: a user's name and password.
	registryHost = regexp.MustCompile(`https?://(?:[^/\s@]*@)?([^/\s:@)]+)`)

	// npmMargin is what npm puts before its lines: a level, and for some failures their code again.
	npmMargin = regexp.MustCompile(`^npm (?:error|ERR!)(?: (?:404|notarget))?\s*`)
)

// plainly takes the margin and the paths of logs out of what a tool said, and keeps what is left of its
// last lines: what went wrong is said last.
func plainly(said string) string {
	var lines []string
	for line := range strings.Lines(said) {
		line = strings.TrimSpace(npmMargin.ReplaceAllString(strings.TrimSpace(line), ""))
		switch {
		case line == "", strings.HasPrefix(line, "code E"), strings.HasPrefix(line, "A complete log of this run"),
			strings.HasPrefix(line, "Note that you can also install from"), line == "tarball, folder, http url, or git url.":
			continue
		}
		lines = append(lines, line)
	}
	return strings.Join(lines[max(0, len(lines)-12):], "\n")
}
