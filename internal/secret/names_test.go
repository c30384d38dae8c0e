package secret

import "testing"

func TestOneIdeaOfNames(t *testing.T) {
	t.Parallel()
	for name, want := range map[string][2]bool{ // named, in a URL
		"API_KEY": {true}, "apiKey": {true}, "x-api-key": {true}, "APIKEY": {true}, "OPENAI_API_KEYS": {true},
		"GITHUB_TOKEN": {true}, "GITHUB_PAT": {true}, "npm_config__authToken": {true}, "NPM_CONFIG__AUTH": {true},
		"DB_PASS": {true}, "MYSQL_PWD": {true}, "PGPASSWORD": {true}, "KEY_PASSPHRASE": {true}, "SENTRY_DSN": {true},
		"AWS_ACCESS_KEY_ID": {true}, "AWS_SECRET_ACCESS_KEY": {true}, "AzureWebJobsStorage": {true},
		"APPLICATIONINSIGHTS_CONNECTION_STRING": {true}, "AccountKey": {true}, "SESSION_COOKIE": {true}, "GOOGLE_CREDENTIALS": {true},
		"AUTHORIZATION": {true}, "IDENTITY_HEADER": {true}, "ConnectionStrings__Db": {true}, "REDISCACHECONNSTR_a": {true}, "BLOB_SAS": {true}, "UV_INDEX_MINE_PASSWORD": {true},
		"PIP_INDEX_URL": {false, true}, "UV_INDEX_URL": {false, true}, "UV_EXTRA_INDEX_URL": {false, true}, "UV_DEFAULT_INDEX": {false, true},
		"HTTP_PROXY": {false, true}, "https_proxy": {false, true}, "httpProxy": {false, true}, "ALL_PROXY": {false, true},
		"DATABASE_URL": {false, true}, "MONGODB_URI": {false, true}, "MCPFUNC_REDIS_URL": {false, true}, "npm_config_registry": {false, true},
		"PIP_FIND_LINKS": {false, true}, "SLACK_WEBHOOK_URL": {false, true},
		"NO_PROXY": {}, "PWD": {}, "OLDPWD": {}, "AUTHOR": {}, "KEYBOARD": {}, "TOKEN_URL": {}, "KEY_FILE": {}, "SSH_AUTH_SOCK": {}, "PUBLIC_KEY": {},
		"MAX_TOKENS": {}, "SECRET_NAME": {}, "LOG_LEVEL": {}, "PATH": {}, "AZURE_CLIENT_ID": {}, "PUBLIC_URL": {}, "UV_INDEX_STRATEGY": {},
		"KEY_VAULT_URL": {}, "AzureWebJobsStorage__accountName": {}, "AzureWebJobsSecretStorageType": {}, "WEBSITE_AUTH_ENABLED": {}, "X_KEY_HEADER": {}, "COMPASS": {}, "": {}, "_": {},
	} {
		if got := [2]bool{Named(name), InURL(name)}; got != want {
			t.Errorf("%s: named, in a URL: %v, want %v", name, got, want)
		}
		if Setting(name) != (want[0] || want[1]) {
			t.Errorf("%s: Setting is not one of both", name)
		}
	}
}
