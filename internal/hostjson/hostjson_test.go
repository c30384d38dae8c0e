package hostjson

import (
	"encoding/json"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestSettingsAreAsDotNetBindsThem(t *testing.T) {
	t.Parallel()
	var file any
	if err := json.Unmarshal([]byte(`{"version": "2.0", "extensions": {"http": {"RoutePrefix": "x"}}, "list": [{"a": 1}, true], "none": null, "list2": []}`), &file); err != nil {
		t.Fatal(err)
	}
	got := map[string]string{}
	Flatten(got, "", file)
	Flatten(got, "Below", map[string]any{"B": "c"})
	Override(got, []string{"PATH=x", "azureFunctionsJobHost__extensions:HTTP__routePrefix=y", "AzureFunctionsJobHost__list__0__a=", "AzureFunctionsJobHost=z"})
	want := map[string]string{
		"version": "2.0", "extensions:http:routeprefix": "y", "list:0:a": "", "list:1": "true", "none": "", "below:b": "c",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}
