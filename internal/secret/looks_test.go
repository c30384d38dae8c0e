package secret

import (
	"strings"
	"testing"
)

// The values are made up, and put together here so that no scanner takes them for real ones.
func TestSecretsAreKnownByTheirLook(t *testing.T) {
	t.Parallel()
	letters := "Zq8Xw3Rt6Yp1Lk5Jh9Gf2Ds7Am4Nb0Vc"
	for value, want := range map[string]string{
		"ghp" + "_" + letters + letters: "a GitHub token",
		"github" + "_pat_" + letters:    "a GitHub token",
		"glpat" + "-" + letters:         "a GitLab token",
		"AKIA" + "ABCDEFGHIJKLMNOP":     "an AWS access key",
		"xoxb" + "-1234567890-abc":      "a Slack token",
		"sk" + "-ant-" + letters:        "an API key",
		"sk" + "_live_" + letters:       "an API key",
		"AIza" + letters + "xyz":        "a Google API key",
		"npm" + "_" + letters + "abcd":  "a package registry token",
		"abc8Q~" + letters + "12":       "an Entra ID client secret",
		letters + "AzFu" + "abcdefg==":  "an Azure key",
		"DefaultEndpointsProtocol=https;AccountName=a;AccountKey=" + letters + "==": "a connection string with its key",
		"Server=tcp:db;Database=d;User ID=u;Password=hunter22;":                     "a connection string with its key",
		"https://a.blob.core.windows.net/c?sv=2025&sig=" + letters + "%3D":          "a shared access signature",
		"eyJ" + "hbGciOiJIUzI1NiJ9." + "eyJzdWIiOiIxIn0." + "c2lnbmF0dXJl":          "a JSON Web Token",
		"-----BEGIN RSA " + "PRIVATE KEY-----\nMIIE":                                "a private key",
		"Bearer abcdefgh12345678":                                                   "an Authorization header",
		"postgres://app:hunter22@db/app":                                            "a URL with a password",
		letters:                                                                     "a random key",
		"9f86d081884c7d659a2feaa0c55ad015":                                          "a random key",
		"mcp-server-time":                                                           "",
		"@modelcontextprotocol/server-everything@2026.7.1":                          "",
		"8f0e4a52-3f8e-4c7b-9d53-0d7a8b3c4e5f":                                      "", // an id of Entra
		"https://example.com/v1?sig=":                                               "",
		"Bearer ${TOKEN}":                                                           "",
		"postgres://app:${PASSWORD}@db/app":                                         "",
		"AccountKey=${KEY}":                                                         "",
		"/home/site/wwwroot/.python_packages/lib":                                   "",
		"Europe/Berlin":                                                             "",
		"ThisIsALongCamelCaseNameOfSomething1":                                      "",
		"my_long_snake_case_name_of_a_tool_2":                                       "",
		"sk-learn-model-context-server":                                             "",
		"00000000000000000000000000000000":                                          "",
	} {
		if got, _ := Shape(value); got != want {
			t.Errorf("%.24s… looks like %q, want %q", value, got, want)
		}
	}
}

func TestSecretsAreKnownByTheirName(t *testing.T) {
	t.Parallel()
	for pair, want := range map[string]bool{
		"API_KEY=hunter2":               true,
		"GITHUB_TOKEN=hunter2":          true,
		"DB_PASSWORD=hunter2":           true,
		"DB_PASS=hunter2":               true,
		"CLIENT_SECRET=hunter2":         true,
		"APIKEY=hunter2":                true,
		"API_KEY=${API_KEY}":            false,
		"API_KEY=":                      false,
		"MAX_TOKENS=4096":               false,
		"USE_TOKEN=true":                false,
		"TOKEN_URL=https://example.com": false,
		"KEY_FILE=/run/key":             false,
		"SSH_KEY=~/.ssh/id":             false,
		"AUTH=basic":                    false,
		"AUTHOR=somebody":               false,
		"AUTH_TOKEN=hunter2":            true,
		"SECRET_NAME=which":             false,
		"GOOGLE_APPLICATION_CREDENTIALS=/run/key.json": false,
		"GOOGLE_CREDENTIALS=hunter2":                   true,
		"LOG_LEVEL=debug":                              false,
		"KEYBOARD=german":                              false,
	} {
		name, value, _ := strings.Cut(pair, "=")
		if _, got := Looks(name, value); got != want {
			t.Errorf("%s is a secret: %t, want %t", pair, got, want)
		}
	}
}
