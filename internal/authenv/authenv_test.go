package authenv

import (
	"path"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// hostSecrets are what an app on Azure has in its environment and no server may see.
var hostSecrets = []string{
	"AzureWebJobsStorage", "AzureWebJobsStorage__accountName", "AzureWebJobsDashboard", "AzureWebJobsSecretStorageType",
	"AzureWebJobsFeatureFlags", "AzureFunctionsJobHost__customHandler__port", "AzureWebEncryptionKey",
	"WEBSITE_AUTH_ENCRYPTION_KEY", "WEBSITE_AUTH_SIGNING_KEY", "WEBSITE_AUTH_CLIENT_ID", "WEBSITE_CONTENTAZUREFILECONNECTIONSTRING",
	"WEBSITE_CONTENTSHARE", "WEBSITE_SITE_NAME", "WEBSITE_INSTANCE_ID", "WEBSITE_HOSTNAME", "WEBSITE_FUNCTIONS_STARTUPCONTEXT_CACHE",
	"WEBSITE_RUN_FROM_PACKAGE", "FUNCTIONS_CUSTOMHANDLER_PORT", "FUNCTIONS_HTTPWORKER_PORT", "FUNCTIONS_WORKER_RUNTIME",
	"FUNCTIONS_APP_ROOT_PATH", "FUNCTIONS_CUSTOMHANDLER_WORKER_ID", "MACHINEKEY_DecryptionKey", "MACHINEKEY_ValidationKey",
	"CONTAINER_ENCRYPTION_KEY", "CONTAINER_START_CONTEXT_SAS_KEY", "APPLICATIONINSIGHTS_CONNECTION_STRING",
	"APPLICATIONINSIGHTS_AUTHENTICATION_STRING", "APPINSIGHTS_INSTRUMENTATIONKEY", "MICROSOFT_PROVIDER_AUTHENTICATION_SECRET",
	"GITHUB_PROVIDER_AUTHENTICATION_SECRET", "APPSETTING_AzureWebJobsStorage", "SQLCONNSTR_Db", "SQLAZURECONNSTR_Db",
	"MYSQLCONNSTR_Db", "CUSTOMCONNSTR_Db", "POSTGRESQLCONNSTR_Db", "IDENTITY_ENDPOINT", "IDENTITY_HEADER", "MSI_ENDPOINT",
	"MSI_SECRET", "MCPFUNC_SESSION_KEY", "MCPFUNC_REDIS_URL", "azurewebjobsstorage",
	"APIHUBCONNSTR_Db", "DOCDBCONNSTR_Db", "EVENTHUBCONNSTR_Db", "NOTIFICATIONHUBCONNSTR_Db", "REDISCACHECONNSTR_Db",
	"SERVICEBUSCONNSTR_Db", "NewKindCONNSTR_Db", "redisCacheConnStr_db", "ConnectionStrings__Db", "CONNECTIONSTRINGS__DB", "ConnectionStrings:Db",
}

// appSecrets are what people put into app settings for one server or another.
var appSecrets = []string{
	"AZURE_CLIENT_SECRET", "AZURE_CLIENT_ID", "GITHUB_TOKEN", "OPENAI_API_KEY", "DB_PASSWORD", "UV_PUBLISH_TOKEN",
	"UV_INDEX_PRIVATE_PASSWORD", "npm_config__authToken", "PIP_TRUSTED_SECRET", "AWS_SECRET_ACCESS_KEY", "PORT", "NODE_OPTIONS",
	"LD_PRELOAD", "PYTHONSTARTUP", "ASPNETCORE_URLS", "KUBECONFIG", "SSH_AUTH_SOCK", "MY_SETTING", "DOCKER_HOST",
}

func TestNoSecretOfTheHostPasses(t *testing.T) {
	t.Parallel()
	var environ []string
	for _, name := range slices.Concat(hostSecrets, appSecrets) {
		environ = append(environ, name+"=canary")
	}
	if n := len(environ); n < 60 {
		t.Fatalf("only %d secrets planted", n)
	}
	if got := Base(environ, nil); len(got) > 0 {
		t.Errorf("passed: %v", got)
	}
	for _, inherit := range [][]string{{"*"}, hostSecrets} {
		for _, entry := range Base(environ, inherit) {
			name, _, _ := strings.Cut(entry, "=")
			if slices.Contains(hostSecrets, name) {
				t.Errorf("%s passed with inherit_env %v", name, inherit)
			}
		}
	}
}

func TestWhatAProcessNeedsPasses(t *testing.T) {
	t.Parallel()
	environ := []string{
		"PATH=/bin", "HOME=/root", "LANG=C", "LC_ALL=C", "https_proxy=http://p", "UV_CACHE_DIR=/c", "npm_config_cache=/n",
		"PIP_INDEX_URL=x", "SSL_CERT_FILE=/f", "NAMED=1", "GLOB_A=2", "OTHER=3", "=weird", "broken",
	}
	got := Base(environ, []string{"NAMED", "GLOB_*", "["})
	want := append(slices.Clone(environ[:9]), "NAMED=1", "GLOB_A=2")
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
}

func TestLaterLayersWin(t *testing.T) {
	t.Parallel()
	got := Join([]string{"HOME=/h", "A=base", "B=base"}, map[string]string{"B": "env", "C": "env", "HOME": "/c"}, map[string]string{"C": "auth"})
	want := []string{"A=base", "B=env", "C=auth", "HOME=/c", "PYTHONUNBUFFERED=1"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
}

func TestPatternsMatchAsGlobsDo(t *testing.T) {
	t.Parallel()
	patterns := []string{"", "*", "A", "A*", "*A", "A*A", "A*B*", "*A*", "AB*BA", "*AB*B"}
	names := []string{""}
	for from, more := 0, 0; more < 5; more++ { // all of A, B and C up to five letters
		all := names[from:]
		from = len(names)
		for _, name := range all {
			names = append(names, name+"A", name+"B", name+"C")
		}
	}
	for _, pattern := range patterns {
		for _, name := range names {
			want, err := path.Match(pattern, name)
			if err != nil {
				t.Fatal(err)
			}
			if got := matches(pattern, name); got != want {
				t.Errorf("%q, %q: %t, want %t", pattern, name, got, want)
			}
		}
	}
}

func TestSlashHidesNothing(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"WEBSITE_A/B", "APPSETTING_x/y", "a/b_PROVIDER_AUTHENTICATION_SECRET"} {
		if base := Base([]string{name + "=secret"}, []string{"*/*", name}); len(base) != 0 {
			t.Errorf("%q passes", name)
		}
	}
}
