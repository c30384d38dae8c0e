package authenv

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Bounds of what a caller may put into the environment of a process.
const (
	MaxValueBytes = 8 << 10 // of one variable
	maxNameBytes  = 128     // of the name of a variable, a header or a claim
	maxVariables  = 32      // of one server
)

// FromCaller says which variables of a process are whose process it is: from headers that the caller
// sends with every request, and from claims of the caller's verified token. A process belongs to one set of
// values; a caller with other values gets another process. The zero FromCaller takes nothing.
type FromCaller struct {
	rules []rule // by variable
}

// A rule is where one variable comes from.
type rule struct {
	variable string
	source   string // a header, or a claim
	claim    bool
}

// NewFromCaller returns what takes the variables of headers and claims, which map a variable to a header or
// a claim. It fails, naming the variable, if one of them may not be taken from a caller.
func NewFromCaller(headers, claims map[string]string) (FromCaller, error) {
	var f FromCaller
	for variable, header := range headers {
		f.rules = append(f.rules, rule{variable, header, false})
	}
	for variable, claim := range claims {
		f.rules = append(f.rules, rule{variable, claim, true})
	}
	if len(f.rules) > maxVariables {
		return FromCaller{}, fmt.Errorf("%d variables come from the caller, want at most %d", len(f.rules), maxVariables)
	}
	slices.SortFunc(f.rules, func(a, b rule) int { return strings.Compare(a.variable, b.variable) })
	seen := map[string]string{}
	for _, r := range f.rules {
		if err := CheckVariable(r.variable); err != nil {
			return FromCaller{}, err
		}
		check := CheckHeader
		if r.claim {
			check = CheckClaim
		}
		if err := check(r.source); err != nil {
			return FromCaller{}, fmt.Errorf("variable %s: %w", r.variable, err)
		}
		upper := strings.ToUpper(r.variable) // Windows does not know case
		if other, taken := seen[upper]; taken {
			return FromCaller{}, fmt.Errorf("variable %s is set twice, also as %s", r.variable, other)
		}
		seen[upper] = r.variable
	}
	return f, nil
}

// Any reports whether anything is taken from a caller.
func (f FromCaller) Any() bool { return len(f.rules) > 0 }

// Headers returns the headers that every request has to carry, sorted.
func (f FromCaller) Headers() []string {
	var names []string
	for _, r := range f.rules {
		if !r.claim {
			names = append(names, r.source)
		}
	}
	slices.Sort(names)
	return slices.CompactFunc(names, strings.EqualFold)
}

// A MissingError says what a request lacks, or has too much of. It never holds a value.
type MissingError struct {
	OfToken bool // it lacks a claim of its token, and not a header
	Text    string
}

func (e *MissingError) Error() string { return e.Text }

// Take returns the variables that a request brings, of which header returns a header's values, and a digest of them: another
// set of values has another. It fails with a *MissingError.
func (f FromCaller) Take(header func(name string) []string, claims map[string]any) (vars map[string]string, digest string, err error) {
	if len(f.rules) == 0 {
		return nil, "", nil
	}
	vars = make(map[string]string, len(f.rules))
	sum := sha256.New()
	sum.Write([]byte("mcpfunc variables of a caller\x00"))
	var room []byte
	for _, r := range f.rules {
		value, err := r.take(header, claims)
		if err != nil {
			return nil, "", err
		}
		vars[r.variable] = value
		for _, part := range []string{r.variable, value} {
			room = append(binary.AppendUvarint(room[:0], uint64(len(part))), part...)
			sum.Write(room)
		}
	}
	return vars, string(sum.Sum(nil)), nil
}

func (r rule) take(header func(string) []string, claims map[string]any) (string, error) {
	var what, value, problem string
	if r.claim {
		what = "the claim " + r.source + " of the token"
		value, problem = claimValue(claims[r.source])
	} else {
		what = "the header " + r.source
		value, problem = headerValue(header(r.source))
	}
	if problem == "" {
		problem = fault(value)
	}
	if problem != "" {
		return "", &MissingError{r.claim, what + " " + problem}
	}
	return value, nil
}

// headerValue returns the value of a header, or what is wrong with it.
func headerValue(values []string) (value, problem string) {
	switch {
	case len(values) == 0 || len(values) == 1 && values[0] == "":
		return "", "is missing: this server requires it with every request"
	case len(values) > 1:
		return "", "is present " + strconv.Itoa(len(values)) + " times: want it once"
	}
	return values[0], ""
}

// claimValue returns a claim as a variable has it, or what is wrong with it.
func claimValue(claim any) (value, problem string) {
	if claim == nil {
		return "", "is missing: this server requires it"
	}
	value, ok := claimText(claim)
	switch {
	case !ok:
		return "", "is neither a string nor a list of strings without commas"
	case value == "":
		return "", "is empty: this server requires it"
	}
	return value, ""
}

// claimText is a claim as a variable has it: a list, as of groups, sorted and with commas, since issuers
// give it in any order. An element with a comma in it would look like two.
func claimText(claim any) (text string, ok bool) {
	switch v := claim.(type) {
	case string:
		return v, true
	case bool:
		return strconv.FormatBool(v), true
	case json.Number:
		return v.String(), true
	case []string:
		list := make([]any, len(v))
		for i, s := range v {
			list[i] = s
		}
		return claimText(list)
	case []any:
		list := make([]string, 0, len(v))
		for _, e := range v {
			s, ok := e.(string)
			if !ok || s == "" || strings.Contains(s, ",") {
				return "", false
			}
			list = append(list, s)
		}
		slices.Sort(list)
		return strings.Join(list, ","), true
	}
	return "", false
}

// fault says what is wrong with a value, without the value; "" if nothing is.
func fault(value string) string {
	switch {
	case len(value) > MaxValueBytes:
		return "has " + strconv.Itoa(len(value)) + " bytes: want at most " + strconv.Itoa(MaxValueBytes)
	case !utf8.ValidString(value):
		return "is not UTF-8"
	case strings.ContainsFunc(value, unicode.IsControl):
		return "contains a control character"
	}
	return ""
}

// CheckVariable says why a variable may not be taken from a caller: one that decides what program or library
// is run, where it finds its configuration or whom it trusts would make the process the caller's.
func CheckVariable(name string) error {
	if len(name) > maxNameBytes || !IsVariable(name) {
		return fmt.Errorf("invalid variable %q: want letters, digits and \"_\", at most %d, not starting with a digit", name, maxNameBytes)
	}
	upper := strings.ToUpper(name)
	if Denied(name) || matchesAny(passed, upper) || matchesAny(unlessSecret, upper) || matchesAny(subverting, upper) {
		return fmt.Errorf("variable %s may not come from a caller: it changes what the server runs or trusts", name)
	}
	return nil
}

// IsVariable reports whether name can name a variable: letters, digits and "_", not first a digit.
func IsVariable(name string) bool {
	for i := range len(name) {
		c := name[i]
		letter := 'A' <= c && c <= 'Z' || 'a' <= c && c <= 'z' || c == '_'
		if !letter && (i == 0 || c < '0' || c > '9') {
			return false
		}
	}
	return name != ""
}

// subverting are names by which loaders, shells, interpreters, their package managers, TLS libraries, the
// Azure SDKs and telemetry are told what to load, to run, to trust, or where to send what they know. Those that
// pass from the app's environment (passed, unlessSecret) are no caller's either.
var subverting = []string{
	"LD_*", "DYLD_*", "GLIBC_TUNABLES", "GCONV_PATH", "LOCPATH", "NLSPATH", "MALLOC_*", "HOSTALIASES", "RES_OPTIONS", "LOCALDOMAIN", "RESOLV_*",
	"IFS", "ENV", "BASH_*", "SHELLOPTS", "BASHOPTS", "PS4", "PROMPT_COMMAND", "CDPATH", "ZDOTDIR", "FPATH", "_", "PWD", "OLDPWD",
	"PYTHON*", "VIRTUAL_ENV*", "CONDA_*", "POETRY_*", "PIPX_*", "NODE_*", "NPM_NODE_*", "YARN_*", "PNPM_*", "COREPACK_*", "BUN_*", "DENO_*", "TS_NODE_*",
	"PERL*", "RUBY*", "GEM_*", "BUNDLE_*", "PHP*", "LUA_*", "JAVA_*", "_JAVA_*", "JDK_*", "CLASSPATH", "MAVEN_*", "GRADLE_*",
	"DOTNET_*", "COMPLUS_*", "CORECLR_*", "COR_*", "ASPNETCORE_*", "NUGET_*", "MONO_*", "CARGO_*", "RUST*",
	"GODEBUG", "GOTRACEBACK", "GOGC", "GOMEMLIMIT", "GOMAXPROCS", "GOFLAGS", "GOPROXY", "GOPATH", "GOROOT", "GOENV", "GOTOOLCHAIN", "GOINSECURE", "GONO*", "GOPRIVATE", "GOSUMDB",
	"GIT_*", "SSH_*", "EDITOR", "VISUAL", "PAGER", "MANPAGER", "BROWSER", "LESS*", "TERMINFO*", "XDG_*",
	"OPENSSL_*", "SSL_*", "SSLKEYLOGFILE", "*_CA_BUNDLE", "*_PROXY", "KRB5*", "CURL_HOME", "CURL_SSL_*", "WGETRC", "NETRC",
	"AZURE_CLIENT_*", "AZURE_TENANT_ID", "AZURE_AUTHORITY_HOST", "AZURE_USE_OBO", "AZURE_USER_ASSERTION", "AZURE_TOKEN_CREDENTIALS",
	"AZURE_FEDERATED_*", "AZURE_CONFIG_DIR", "IDENTITY_*", "IMDS_*", "MSI_*", "ARC_*", "AWS_CONFIG_FILE", "AWS_SHARED_*", "KUBECONFIG",
	"DOCKER_HOST", "DOCKER_CONFIG", "DOCKER_CERT_PATH", "DOCKER_CONTEXT", "DOCKER_TLS*",
	"OTEL_*", "TRACEPARENT", "TRACESTATE", "BAGGAGE", "PORT", "WEBSITES_*", "SYSTEMROOT", "COMSPEC", "__*",
}

// CheckHeader says why a header may not become a variable: it is not the caller's own, because the front, the
// host, HTTP or MCP sets or reads it, or it is a credential for this app and no server's.
func CheckHeader(name string) error {
	if name == "" || len(name) > maxNameBytes || !isToken(name) {
		return fmt.Errorf("invalid header %q: want the name of an HTTP header", name)
	}
	if matchesAny(foreign, strings.ToLower(name)) {
		return fmt.Errorf("header %s may not become a variable: it is not the caller's to give to the server", name)
	}
	return nil
}

// foreign are headers that are of someone else than the caller of a server, in small letters.
var foreign = []string{
	"authorization", "proxy-*", "cookie*", "set-cookie*", "www-authenticate", "x-functions-*", "x-api-version",
	"x-forwarded-*", "forwarded", "x-original-*", "x-real-ip", "x-client-ip", "x-client-port", "client-ip", "true-client-ip", "x-envoy-*", "x-host",
	"x-ms-*", "x-arr-*", "x-azure-*", "x-waws-*", "x-site-*", "x-appservice-*", "disguised-host", "was-default-hostname", "max-forwards", "ocp-apim-*",
	"mcp-*", "last-event-id", "mcpfunc-*",
	"host", "connection", "keep-alive", "te", "trailer", "transfer-encoding", "upgrade*", "http2-settings", "via", "date", "expect", "from",
	"accept*", "content-*", "cache-control", "pragma", "if-*", "range", "origin", "referer", "user-agent", "sec-*", "dnt", "priority", "access-control-*",
	"traceparent", "tracestate", "baggage", "request-id", "request-context", "correlation-context", "x-request-id", "x-correlation-id",
}

// isToken reports whether s is a token of RFC 9110, section 5.6.2, as names of headers are.
func isToken(s string) bool {
	for i := range len(s) {
		c := s[i]
		if c <= ' ' || c >= 0x7f || strings.IndexByte(`"(),/:;<=>?@[\]{}`, c) >= 0 {
			return false
		}
	}
	return s != ""
}

// CheckClaim says why text is not a name of a claim.
func CheckClaim(name string) error {
	if name == "" || len(name) > maxNameBytes || strings.ContainsFunc(name, unicode.IsControl) || !utf8.ValidString(name) {
		return fmt.Errorf("invalid claim %q: want the name of a claim of the token", name)
	}
	return nil
}
