package backplane

import (
	"context"
	"errors"
	"net/url"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"
)

// An Identity returns a token for a resource, of the app's managed identity: the one with this client ID, or its default
// one if the client ID is empty.
type Identity func(ctx context.Context, resource, clientID string) (token string, err error)

// entraResource is the audience of the tokens that Azure's Redis accepts in place of passwords.
const entraResource = "https://redis.azure.com"

// An address is where Redis is, and how to sign in. In addition to the parameters of go-redis, its URL may have
//
//	cluster=true  the server is part of a Redis Cluster (clustering policy OSS)
//	entra=true    the password is a token of the app's managed identity; the user is that identity's object ID
//	entra=ID      the same, with the identity that has this client ID
type address struct {
	*redis.Options
	cluster bool
	token   func(context.Context) (string, error) // returns the password; nil for that of the URL
}

// errAddress does not quote the URL, which contains a password.
var errAddress = errors.New("want a redis:// or rediss:// URL of a server; percent-encode /, ?, # and @ in a password")

func parseAddress(text string, identity Identity) (*address, error) {
	u, err := url.Parse(text)
	if err != nil {
		return nil, errAddress
	}
	query := u.Query()
	cluster, entra := query.Get("cluster") == "true", query.Get("entra")
	query.Del("cluster")
	query.Del("entra")
	u.RawQuery = query.Encode()
	if cluster && !clustered {
		return nil, errors.New("this handler was built without Redis Cluster: build it with the tag mcpfunc_redis_cluster, or use Azure's clustering policy Enterprise")
	}
	a := &address{cluster: cluster}
	if a.Options, err = redis.ParseURL(u.String()); err != nil {
		return nil, errAddress
	}
	if entra == "" || entra == "false" {
		return a, nil
	}
	password, _ := u.User.Password()
	switch {
	case identity == nil:
		return nil, errors.New("entra=true requires a managed identity, but this app does not have one")
	case a.Username == "" || password != "":
		return nil, errors.New("with entra=true, the user must be the object id of the managed identity, without a password")
	case !strings.EqualFold(u.Scheme, "rediss"):
		return nil, errors.New("with entra=true, the URL must begin with rediss://: a token must not be sent in the clear")
	}
	if entra == "true" {
		entra = "" // the app's own
	}
	a.token = func(ctx context.Context) (string, error) { return identity(ctx, entraResource, entra) }
	return a, nil
}

// tokenLife is how long a connection is used whose password was a token. Tokens are valid for at least an hour.
const tokenLife = 45 * time.Minute

// connect returns a client. change adapts its options.
func (a *address) connect(change func(*redis.Options)) client {
	o := *a.Options
	if a.token != nil {
		user := o.Username
		o.CredentialsProviderContext = func(ctx context.Context) (string, string, error) {
			token, err := a.token(ctx)
			return user, token, err
		}
		o.ConnMaxLifetime = tokenLife
	}
	change(&o)
	return newClient(&o, a.cluster)
}
