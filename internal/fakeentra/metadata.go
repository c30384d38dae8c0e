package fakeentra

import (
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"math/big"
	"net/http"
	"slices"
)

// The versions of tokens and of the metadata for them.
const (
	v1 = "1.0"
	v2 = "2.0"
)

// A signingKey is a key and the issuer it may sign for, which may hold {tenantid}.
type signingKey struct {
	id      string
	issuer  string // a path after the authority
	private *rsa.PrivateKey
}

// AddKey adds a signing key for all tenants and returns its kid. It is the one that new tokens are
// signed with. A nil key means a new one.
func (s *Server) AddKey(key *rsa.PrivateKey) string { return s.addKey(key, "{tenantid}") }

// AddTenantKey is AddKey for a key that signs for one tenant only.
func (s *Server) AddTenantKey(key *rsa.PrivateKey, tenant string) string {
	return s.addKey(key, tenant)
}

func (s *Server) addKey(key *rsa.PrivateKey, tenant string) string {
	if key == nil {
		var err error
		if key, err = rsa.GenerateKey(rand.Reader, 2048); err != nil {
			panic(err) // crypto/rand does not fail
		}
	}
	sum := sha256.Sum256([]byte(tenant + key.N.String()))
	id := base64.RawURLEncoding.EncodeToString(sum[:20])
	s.mu.Lock()
	defer s.mu.Unlock()
	s.keys = append(s.keys, signingKey{id, "/" + tenant + "/v2.0", key})
	return id
}

// RemoveKey withdraws a signing key.
func (s *Server) RemoveKey(kid string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.keys = slices.DeleteFunc(s.keys, func(k signingKey) bool { return k.id == kid })
}

// issuer returns the iss of a tenant's tokens. A cloud that is not Microsoft's issues both versions
// under its own name.
func (s *Server) issuer(version, tenant string) string {
	if version == v1 {
		return s.URL + "/" + tenant + "/"
	}
	return s.URL + "/" + tenant + "/v2.0"
}

// known reports whether tenant may be part of a URL, and what the issuers in the answer have there.
func (s *Server) known(tenant string) (inIssuer string, ok bool) {
	if tenant == "common" || tenant == "organizations" {
		return "{tenantid}", true
	}
	return tenant, s.tenants[tenant]
}

func (s *Server) discovery(version string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		tenant := r.PathValue("tenant")
		inIssuer, ok := s.known(tenant)
		if !ok {
			s.fail(w, http.StatusBadRequest, failure{Error: "invalid_tenant", code: 90002,
				Description: "Tenant '" + tenant + "' not found."})
			return
		}
		base := s.URL + "/" + tenant
		document := map[string]any{
			"issuer":                                s.issuer(version, inIssuer),
			"authorization_endpoint":                base + "/oauth2/authorize",
			"token_endpoint":                        base + "/oauth2/token",
			"jwks_uri":                              base + "/discovery/keys",
			"response_types_supported":              []string{"code", "id_token"},
			"subject_types_supported":               []string{"pairwise"},
			"id_token_signing_alg_values_supported": []string{"RS256"},
		}
		if version == v2 {
			document["authorization_endpoint"] = base + "/oauth2/v2.0/authorize"
			document["token_endpoint"] = base + "/oauth2/v2.0/token"
			document["jwks_uri"] = base + "/discovery/v2.0/keys"
		}
		writeJSON(w, http.StatusOK, document)
	}
}

// keySet answers with the keys of one tenant, or of all of them. As in the real documents every key
// names its issuer in the version 2.0 form.
func (s *Server) keySet(w http.ResponseWriter, r *http.Request) {
	tenant, ok := s.known(r.PathValue("tenant"))
	if !ok {
		http.NotFound(w, r)
		return
	}
	s.mu.Lock()
	keys := slices.Clone(s.keys)
	s.mu.Unlock()
	members := []map[string]string{}
	for _, k := range keys {
		if k.issuer != "/{tenantid}/v2.0" && tenant != "{tenantid}" && k.issuer != "/"+tenant+"/v2.0" {
			continue
		}
		members = append(members, map[string]string{
			"kty":    "RSA",
			"use":    "sig",
			"kid":    k.id,
			"x5t":    k.id,
			"n":      base64.RawURLEncoding.EncodeToString(k.private.N.Bytes()),
			"e":      base64.RawURLEncoding.EncodeToString(big.NewInt(int64(k.private.E)).Bytes()),
			"issuer": s.URL + k.issuer,
		})
	}
	writeJSON(w, http.StatusOK, map[string]any{"keys": members})
}

func writeJSON(w http.ResponseWriter, status int, v any) {
	w.Header().Set("Content-Type", "application/json; charset=utf-8")
	w.WriteHeader(status)
	json.NewEncoder(w).Encode(v)
}

func encodeCertificate(c *x509.Certificate) []byte {
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: c.Raw})
}
