package nuget

import (
	"math/rand/v2"
	"slices"
	"testing"
)

func versions(t *testing.T, texts ...string) []Version {
	t.Helper()
	var list []Version
	for _, text := range texts {
		v, err := ParseVersion(text)
		if err != nil {
			t.Fatal(err)
		}
		list = append(list, v)
	}
	return list
}

func TestVersionsHaveANormalForm(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"1": "1.0.0", "1.2": "1.2.0", "1.2.3": "1.2.3", "1.2.3.0": "1.2.3", "1.2.3.4": "1.2.3.4", "01.002.3": "1.2.3",
		"1.0.0-Beta.1": "1.0.0-Beta.1", "1.0.0-beta+build.5": "1.0.0-beta", "1.0+5": "1.0.0", " 1.0 ": "1.0.0", "1.0.0.0-a": "1.0.0-a",
		"2147483647.0.0": "2147483647.0.0",
	} {
		if v, err := ParseVersion(text); err != nil || v.String() != want {
			t.Errorf("%q: %s, %v, want %s", text, v, err, want)
		}
	}
	for _, text := range []string{"", "v1.0", "1.", "1.2.3.4.5", "1.0.0-", "1.0.0-a..b", "1.0.0-ä", "1.*", "2147483648.0", "-1", "1.0 .0"} {
		if v, err := ParseVersion(text); err == nil {
			t.Errorf("%q is read as %s", text, v)
		}
	}
}

func TestVersionsCompareAsNuGetHasIt(t *testing.T) {
	t.Parallel()
	ordered := versions(t, "0.9", "1.0.0-1", "1.0.0-2", "1.0.0-10", "1.0.0-alpha", "1.0.0-ALPHA.1", "1.0.0-alpha.beta", "1.0.0-beta", "1.0.0-beta.2",
		"1.0.0-beta.11", "1.0.0-rc.1", "1.0.0", "1.0.0.1-a", "1.0.0.1", "1.0.1", "1.10.0", "2.0.0")
	shuffled := slices.Clone(ordered)
	rand.New(rand.NewPCG(1, 2)).Shuffle(len(shuffled), func(i, j int) { shuffled[i], shuffled[j] = shuffled[j], shuffled[i] })
	slices.SortFunc(shuffled, Version.Compare)
	for i := range ordered {
		if shuffled[i].String() != ordered[i].String() {
			t.Fatalf("sorted: %v\nwant:   %v", shuffled, ordered)
		}
	}
	for a, b := range map[string]string{"1.0": "1.0.0.0", "1.0.0-Beta": "1.0.0-bETA", "1.0.0+a": "1.0.0+b", "1.0.0-01": "1.0.0-1"} {
		if pair := versions(t, a, b); pair[0].Compare(pair[1]) != 0 {
			t.Errorf("%s is not %s", a, b)
		}
	}
}

func TestARangeMeansOneVersion(t *testing.T) {
	t.Parallel()
	all := versions(t, "0.9.0", "1.0.0-alpha.1", "1.0.0-beta.1", "1.0.0-beta.2", "1.0.0", "1.0.3", "1.2.0", "1.2.0.5", "1.3.0-rc", "2.0.0", "3.0.0-preview.1")
	for text, want := range map[string]string{
		"": "2.0.0", "*": "2.0.0", "*-*": "3.0.0-preview.1", "1.*": "1.2.0.5", "1.*-*": "1.3.0-rc", "1.0.*": "1.0.3", "1.2.0.*": "1.2.0.5",
		"1.0.0-*": "1.0.0", "1.0.0-beta*": "1.0.0", "1.3.0-*": "1.3.0-rc", "3.0.0-preview.*": "3.0.0-preview.1", "3.0.0-PRE*": "3.0.0-preview.1", "3.0.0-rc*": "",
		"1.0": "1.0.0", "1.0.0-BETA.2": "1.0.0-beta.2", "4.0": "", "9.*": "",
		"[1.0,2.0)": "1.0.0", "(1.0,2.0]": "1.0.3", "(,1.0)": "0.9.0", "[1.1,)": "1.2.0", "[1.2.0]": "1.2.0", "[1.0-a,1.0)": "1.0.0-alpha.1", "(2.0,)": "",
	} {
		r, err := ParseRange(text)
		if err != nil {
			t.Errorf("%q: %v", text, err)
			continue
		}
		got, ok := r.Best(all)
		if ok != (want != "") || ok && got.String() != want {
			t.Errorf("%q: %s, %v, want %q", text, got, ok, want)
		}
	}
	for _, text := range []string{"latest", "1.0.0-", "1*", "1.*.2", "1.2.3.4.*", "1.0-a*b", "1.0.0-beta*x", "[1.0", "[1.0,2.0,3.0]", "[]", "(1.0)", "[2.0,1.0]", "^1.0", ">=1.0", "1.0-a.*-*x"} {
		if r, err := ParseRange(text); err == nil {
			t.Errorf("%q is read as %+v", text, r)
		}
	}
}

func FuzzParseRange(f *testing.F) {
	for _, text := range []string{"1.2.3", "1.*-*", "[1.0,2.0)", "1.0.0-beta.*", "*"} {
		f.Add(text, "1.2.3-a.1")
	}
	f.Fuzz(func(t *testing.T, text, version string) {
		v, err := ParseVersion(version)
		if err == nil {
			if again, err := ParseVersion(v.String()); err != nil || again.Compare(v) != 0 {
				t.Fatalf("%q: %s comes back as %s, %v", version, v, again, err)
			}
		}
		r, rangeErr := ParseRange(text)
		if err != nil || rangeErr != nil {
			return
		}
		if got, ok := r.Best([]Version{v}); ok != r.Contains(v) || ok && got.Compare(v) != 0 {
			t.Fatalf("%q of %s: %s, %v", text, v, got, ok)
		}
	})
}
