package mcpfunc

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/mcpfunc/mcpfunc/internal/backplane"
	"github.com/mcpfunc/mcpfunc/internal/fakeentra"
)

// What another instance passes on is verified again: it must come with a token that is good here, of the caller
// whom the other one has verified.
func TestRequestsThatArePassedOnAreVerifiedAgain(t *testing.T) {
	l := newAuthLab(t)
	c := l.connect(t, "entra", l.token(alice))
	request := func(token string) *http.Request {
		r := httptest.NewRequest(http.MethodPost, "/api/mcp/entra", strings.NewReader(listTools))
		r.Host = "127.0.0.1"
		r.Header.Set("Content-Type", "application/json")
		r.Header.Set("Accept", "application/json, text/event-stream")
		r.Header.Set("Authorization", "Bearer "+token)
		r.Header.Set("Mcp-Session-Id", c.session)
		return r
	}
	s := l.app.byName["entra"]
	caller, err := s.guards[s.path()].guard.Check(request(l.token(alice)))
	if err != nil {
		t.Fatal(err)
	}
	good := backplane.Passed{Principal: caller.Principal, Client: caller.ClientID}
	for what, tt := range map[string]struct {
		token string
		by    backplane.Passed
		want  int
	}{
		"the caller's own":          {l.token(alice), good, http.StatusOK},
		"another principal is said": {l.token(alice), backplane.Passed{Principal: "other", Client: good.Client}, http.StatusNotFound},
		"another program is said":   {l.token(alice), backplane.Passed{Principal: good.Principal, Client: "other"}, http.StatusNotFound},
		"nobody is said":            {l.token(alice), backplane.Passed{}, http.StatusNotFound},
		"another user's token":      {l.token(alice, func(t *fakeentra.Token) { t.ObjectID = bob }), good, http.StatusNotFound},
		"no token":                  {"", good, http.StatusUnauthorized},
		"a token that is not good":  {"x.y.z", good, http.StatusUnauthorized},
	} {
		w := httptest.NewRecorder()
		l.app.answerPassed(w, request(tt.token), tt.by)
		if w.Code != tt.want {
			t.Errorf("%s: %d, want %d: %.300s", what, w.Code, tt.want, w.Body)
		}
	}
}
