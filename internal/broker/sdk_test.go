package broker

import (
	"context"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"strings"
	"sync"
	"testing"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"
	"github.com/Azure/azure-sdk-for-go/sdk/azidentity"
	"github.com/golang-jwt/jwt/v5"

	"github.com/mcpfunc/mcpfunc/internal/config"
	"github.com/mcpfunc/mcpfunc/internal/fakeentra"
	"github.com/mcpfunc/mcpfunc/internal/testlimit"
)

// scopeForChild makes the test's program a server that uses Azure's SDK as everyone does.
const scopeForChild = "BROKER_TEST_SCOPE"

func TestMain(m *testing.M) {
	testlimit.NoExitSleep()
	if scope := os.Getenv(scopeForChild); scope != "" {
		if err := printToken(scope); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		return
	}
	os.Exit(m.Run())
}

func printToken(scope string) error {
	credential, err := azidentity.NewDefaultAzureCredential(nil)
	if err != nil {
		return err
	}
	token, err := credential.GetToken(context.Background(), policy.TokenRequestOptions{Scopes: []string{scope}})
	if err != nil {
		return err
	}
	fmt.Print(token.Token)
	return nil
}

// run runs a program with vars and nothing else but PATH and HOME, and returns the token it prints.
func run(t *testing.T, vars map[string]string, program string, args ...string) (token, complaint string) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), program, args...)
	cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "HOME=" + t.TempDir()}
	for name, value := range vars {
		cmd.Env = append(cmd.Env, name+"="+value)
	}
	var stdout, stderr strings.Builder
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	if err := cmd.Run(); err != nil {
		return "", fmt.Sprintf("%v\n%s", err, stderr.String())
	}
	return stdout.String(), ""
}

// child runs the test's own program as a server's process.
func child(t *testing.T, vars map[string]string, scope string) (token, complaint string) {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	vars[scopeForChild] = scope
	return run(t, vars, self)
}

func claimsOf(t *testing.T, token string) jwt.MapClaims {
	t.Helper()
	c := jwt.MapClaims{}
	if _, _, err := jwt.NewParser().ParseUnverified(token, c); err != nil {
		t.Errorf("%v in %q", err, token)
	}
	return c
}

// TestUnmodifiedServerActsAsTheUser gives Azure's own SDK all five variables that the reference
// adapter documents. By these alone it would act as the app.
func TestUnmodifiedServerActsAsTheUser(t *testing.T) {
	t.Parallel()
	l := newLab(t)
	l.auth.ForwardUserToken = true
	var wg sync.WaitGroup
	for _, id := range []string{alice, bob} {
		vars := environ(t, l.lease(l.signedIn(id)))
		for _, name := range []string{"AZURE_CLIENT_ID", "AZURE_CLIENT_SECRET", "AZURE_TENANT_ID", "AZURE_USER_ASSERTION", "AZURE_USE_OBO"} {
			if vars[name] == "" {
				t.Errorf("%s is missing", name)
			}
		}
		wg.Go(func() {
			got, complaint := child(t, vars, arm+"/.default")
			if complaint != "" {
				t.Errorf("%s: %s", id, complaint)
				return
			}
			if c := claimsOf(t, got); c["oid"] != id || c["aud"] != arm || c["idtyp"] == "app" {
				t.Errorf("got a token of %v for %v (%v), want of %s for %s", c["oid"], c["aud"], c["idtyp"], id, arm)
			}
		})
	}
	wg.Wait()
	if got := l.entra.Requests(fakeentra.Grant); got != 2 {
		t.Errorf("%d requests for tokens, want 2: an exchange for each user", got)
	}
}

func TestSDKShowsWhatTheBrokerRefuses(t *testing.T) {
	t.Parallel()
	l := newLab(t)
	vars := environ(t, l.lease(l.signedIn(alice)))
	if token, complaint := child(t, vars, graph+"/.default"); !strings.Contains(complaint, "is not a resource of azure_scopes") {
		t.Errorf("got %q, %s", token, complaint)
	}
}

func TestSDKGetsTheAppsOwnIdentity(t *testing.T) {
	t.Parallel()
	l := newLab(t, startPlatform(t).install, func(l *lab) {
		l.auth = config.Auth{Method: config.AuthAzureDefault, AzureClientID: clientID}
	})
	token, complaint := child(t, environ(t, l.lease(nil)), graph+"/.default")
	if want := "platform-token " + graph + " " + clientID; token != want {
		t.Errorf("got %q, want %q: %s", token, want, complaint)
	}
}

func TestTokenOfOneProcessIsNoUseToAnother(t *testing.T) {
	t.Parallel()
	l := newLab(t)
	mine, theirs := environ(t, l.lease(l.signedIn(alice))), environ(t, l.lease(l.signedIn(bob)))
	mine["IDENTITY_ENDPOINT"] = theirs["IDENTITY_ENDPOINT"]
	if got := ask(t, mine, arm); got.status != http.StatusUnauthorized {
		t.Errorf("got %d %s", got.status, got.raw)
	}
}
