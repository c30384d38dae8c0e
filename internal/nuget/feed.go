package nuget

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strings"
)

// A feed is what a service index says (learn.microsoft.com/nuget/api/service-index).
type feed struct {
	packages     string // PackageBaseAddress: versions and contents; empty for none
	registration string // RegistrationsBaseUrl: which of the versions are listed; empty for none
}

// registrationTypes are those of the resource, the best first: the first two have versions of SemVer 2.
var registrationTypes = []string{
	"RegistrationsBaseUrl/3.6.0", "RegistrationsBaseUrl/Versioned", "RegistrationsBaseUrl/3.4.0", "RegistrationsBaseUrl/3.0.0-rc", "RegistrationsBaseUrl/3.0.0-beta",
	"RegistrationsBaseUrl",
}

const packagesType = "PackageBaseAddress/3.0.0"

// A listing is a version that a source has.
type listing struct {
	Text     string `json:"version"`
	Unlisted bool   `json:"unlisted,omitempty"` // its publisher takes it off the list: nobody gets it who does not name it

	version Version
	content string // where it is, as far as the registration says that
}

// feed reads the service index of a source, once.
func (c *Client) feed(ctx context.Context, s Source) (*feed, error) {
	if f, ok := c.feeds[s.URL]; ok {
		return f, nil
	}
	if err := s.check(); err != nil {
		return nil, err
	}
	data, err := c.document(ctx, s, s.URL)
	if errors.Is(err, ErrAbsent) {
		return nil, failure("use the address of the feed's service index, which ends in /index.json", "%s has no service index of NuGet at that address", s.shown())
	}
	if err != nil {
		return nil, err
	}
	f, err := parseIndex(data, s.URL)
	if err != nil {
		return nil, because(err, "", "invalid service index of %s: %v", s.shown(), err)
	}
	if c.feeds == nil {
		c.feeds = map[string]*feed{}
	}
	c.feeds[s.URL] = f
	return f, nil
}

func parseIndex(data []byte, base string) (*feed, error) {
	var index struct {
		Version   string
		Resources []struct {
			ID   string          `json:"@id"`
			Type json.RawMessage `json:"@type"`
		}
	}
	if err := json.Unmarshal(trimBOM(data), &index); err != nil {
		return nil, err
	}
	if !strings.HasPrefix(index.Version, "3.") {
		return nil, fmt.Errorf("has version %q, want 3", index.Version)
	}
	f, rank := &feed{}, len(registrationTypes)
	for _, r := range index.Resources {
		for _, t := range oneOrMore(r.Type) {
			address, err := resolve(base, r.ID)
			if err != nil {
				continue
			}
			if t == packagesType && f.packages == "" {
				f.packages = address
			}
			if i := slices.Index(registrationTypes, t); i >= 0 && i < rank {
				f.registration, rank = address, i
			}
		}
	}
	if f.packages == "" && f.registration == "" {
		return nil, errors.New("does not name a folder of packages or a registration")
	}
	return f, nil
}

// oneOrMore reads a JSON string or a list of them.
func oneOrMore(raw json.RawMessage) []string {
	var one string
	if json.Unmarshal(raw, &one) == nil {
		return []string{one}
	}
	var many []string
	_ = json.Unmarshal(raw, &many) // what is neither has no type that is known
	return many
}

// resolve makes an address of one that may be relative, with a slash at its end.
func resolve(base, ref string) (string, error) {
	b, err := url.Parse(base)
	if err != nil {
		return "", err
	}
	u, err := b.Parse(ref)
	if err != nil || u.Scheme != "https" && u.Scheme != "http" {
		return "", errors.New("no address")
	}
	if b.Scheme == "https" && u.Scheme != "https" {
		return "", errors.New("an address without TLS")
	}
	if !strings.HasSuffix(u.Path, "/") {
		u.Path += "/"
	}
	return u.String(), nil
}

func trimBOM(data []byte) []byte { return bytes.TrimPrefix(data, []byte("\ufeff")) }

// versions returns the versions of a package that one source has; ErrAbsent for a package that it does not
// know.
func (c *Client) versions(ctx context.Context, s Source, id string) ([]listing, error) {
	if s.Dir != "" {
		return folderVersions(s, id)
	}
	if c.Offline {
		list, err := c.Cache.versions(s, id)
		return slices.DeleteFunc(parsed(list), func(l listing) bool { // what was never downloaded is not there
			_, ok := c.Cache.known(s, id, l.version)
			return !ok
		}), err
	}
	key := s.URL + "\n" + strings.ToLower(id)
	if known, ok := c.listed[key]; ok {
		return known.versions, known.err
	}
	list, err := c.ask(ctx, s, id)
	if err == nil || errors.Is(err, ErrAbsent) {
		if c.listed == nil {
			c.listed = map[string]answer{}
		}
		c.listed[key] = answer{list, err}
	}
	return list, err
}

// ask is versions for a feed that has not said them yet.
func (c *Client) ask(ctx context.Context, s Source, id string) ([]listing, error) {
	f, err := c.feed(ctx, s)
	if err != nil {
		return nil, err
	}
	var list []listing
	if f.registration != "" {
		list, err = c.registered(ctx, s, f, id)
	}
	if f.registration == "" || errors.Is(err, ErrAbsent) && f.packages != "" {
		list, err = c.contained(ctx, s, f, id)
	}
	if err != nil {
		return nil, err
	}
	return list, c.Cache.noteVersions(s, id, list)
}

// parsed reads the versions of listings and drops invalid ones.
func parsed(list []listing) []listing {
	var good []listing
	for _, l := range list {
		var err error
		if l.version, err = ParseVersion(l.Text); err == nil {
			good = append(good, l)
		}
	}
	return good
}

// contained lists the folder of packages (learn.microsoft.com/nuget/api/package-base-address-resource).
func (c *Client) contained(ctx context.Context, s Source, f *feed, id string) ([]listing, error) {
	data, err := c.document(ctx, s, f.packages+url.PathEscape(strings.ToLower(id))+"/index.json")
	if err != nil {
		return nil, err
	}
	var answer struct{ Versions []string }
	if err := json.Unmarshal(trimBOM(data), &answer); err != nil {
		return nil, because(err, "", "%s does not list the versions of %s: %v", s.shown(), id, err)
	}
	var list []listing
	for _, text := range answer.Versions {
		list = append(list, listing{Text: text})
	}
	return parsed(list), nil
}

// pagesLimit is how many pages of a registration are read: one has 64 versions.
const pagesLimit = 256

// registered lists the registration (learn.microsoft.com/nuget/api/registration-base-url-resource): pages
// of versions, which may be documents of their own.
func (c *Client) registered(ctx context.Context, s Source, f *feed, id string) ([]listing, error) {
	type page struct {
		ID    string `json:"@id"`
		Items []struct {
			CatalogEntry struct {
				Version string
				Listed  *bool
			}
			PackageContent string
		}
	}
	data, err := c.document(ctx, s, f.registration+url.PathEscape(strings.ToLower(id))+"/index.json")
	if err != nil {
		return nil, err
	}
	broken := func(err error) error {
		return because(err, "", "%s does not list the versions of %s: %v", s.shown(), id, err)
	}
	var index struct{ Items []page }
	if err := json.Unmarshal(trimBOM(data), &index); err != nil {
		return nil, broken(err)
	}
	if len(index.Items) > pagesLimit {
		return nil, broken(fmt.Errorf("%d pages", len(index.Items)))
	}
	var list []listing
	for _, p := range index.Items {
		if p.Items == nil {
			address, err := resolve(f.registration, p.ID)
			if err != nil {
				return nil, broken(err)
			}
			if data, err = c.document(ctx, s, strings.TrimSuffix(address, "/")); err != nil {
				return nil, err
			}
			if err := json.Unmarshal(trimBOM(data), &p); err != nil {
				return nil, broken(err)
			}
		}
		for _, item := range p.Items {
			listed := item.CatalogEntry.Listed
			list = append(list, listing{Text: item.CatalogEntry.Version, Unlisted: listed != nil && !*listed, content: item.PackageContent})
		}
	}
	return parsed(list), nil
}

// address is where the contents of a version are.
func (c *Client) address(ctx context.Context, s Source, id string, v Version) (string, error) {
	f, err := c.feed(ctx, s)
	if err != nil {
		return "", err
	}
	if f.packages != "" {
		lower, version := url.PathEscape(strings.ToLower(id)), url.PathEscape(v.lower())
		return f.packages + lower + "/" + version + "/" + lower + "." + version + ".nupkg", nil
	}
	list, err := c.registered(ctx, s, f, id)
	if err != nil {
		return "", err
	}
	for _, l := range list {
		if l.version.Compare(v) == 0 && l.content != "" {
			address, err := resolve(f.registration, l.content)
			return strings.TrimSuffix(address, "/"), err
		}
	}
	return "", ErrAbsent
}
