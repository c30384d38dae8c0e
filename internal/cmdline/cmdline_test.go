package cmdline

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestArgumentsAreShownWithoutSecrets(t *testing.T) {
	t.Parallel()
	got := Hide([]string{"mcp-server", "--repo", "/srv/my repo", "--api-token", "abc", "--auth-key=def", "--password", "--verbose",
		"--token", "${TOKEN}", "-e", "DB_PASSWORD=hunter2", "postgres://app:hunter2@db/app", "Bearer abcdefgh12345678", "--max-tokens=10", "it's", "", "--env=API_KEY=abcdef"})
	want := []string{"mcp-server", "--repo", "/srv/my repo", "--api-token", "[redacted]", "--auth-key=[redacted]", "--password", "--verbose",
		"--token", "${TOKEN}", "-e", "DB_PASSWORD=[redacted]", "postgres://app:[redacted]@db/app", "[redacted]", "--max-tokens=10", "it's", "", "--env=API_KEY=[redacted]"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
}
