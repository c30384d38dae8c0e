package authn

import (
	"encoding/base64"
	"net/http"

	"github.com/mcpfunc/mcpfunc/internal/config"
)

// InteractionRequired is the answer when Entra will exchange a caller's token only after the user
// has signed in again: a conditional access policy, or continuous access evaluation. claims is the
// JSON that came with Entra's error; it goes back to the client, which signs its user in with it
// (Microsoft's "Claims challenges, claims requests, and client capabilities"). A client that has
// not declared that it understands such a challenge is told in plain words instead, with 403: it
// would only ask for the same token once more.
//
// cfg and env are those that the server's guard was made with.
func InteractionRequired(cfg config.Auth, env Env, c *Caller, claims string) *Error {
	e := &Error{
		Status:  http.StatusForbidden,
		Code:    CodeInteractionRequired,
		Message: "Signing in again is required by a policy of your organization",
	}
	cloud, err := cloudFor(cfg, env)
	const claimsChallenges = "cp1" // a client declares that it handles them
	if err != nil || !c.Has("xms_cc", claimsChallenges) {
		return e
	}
	e.Status = http.StatusUnauthorized
	e.Challenge = &Challenge{
		Error:            "insufficient_claims",
		AuthorizationURI: cloud.authority + "/" + c.TenantID + "/oauth2/v2.0/authorize",
		ResourceMetadata: env.MetadataURL,
		Claims:           base64.StdEncoding.EncodeToString([]byte(claims)),
	}
	return e
}
