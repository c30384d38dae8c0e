package e2etest

import (
	"bufio"
	"io"
	"net/http"
	"net/url"
	"os/exec"
	"strings"
	"testing"
)

// An Issuer is npm's oidc-provider, an issuer of tokens that we did not write.
type Issuer struct{ URL string }

// StartIssuer starts one that lives as long as the test.
func StartIssuer(t testing.TB) *Issuer {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), Node(), File(t, "test", "e2e", "servers", "issuer.mjs"), Tool("npm", "package.json"))
	var complaints Transcript
	cmd.Stderr = &complaints
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		cmd.Process.Kill()
		cmd.Wait()
	})
	line, err := bufio.NewReader(stdout).ReadString('\n')
	if err != nil {
		t.Fatalf("issuer.mjs: %v\n%s", err, &complaints)
	}
	return &Issuer{strings.TrimSpace(line)}
}

// Token is what a client gets for a user.
func (i *Issuer) Token(t testing.TB, user, resource, scope string) string {
	t.Helper()
	resp, err := http.Get(i.URL + "/token?" + url.Values{"user": {user}, "resource": {resource}, "scope": {scope}}.Encode())
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil || resp.StatusCode != http.StatusOK {
		t.Fatalf("token of %s: HTTP %d %s, %v", user, resp.StatusCode, body, err)
	}
	return string(body)
}
