package image

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"

	"github.com/distribution/reference"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"
	"oras.land/oras-go/v2"
	"oras.land/oras-go/v2/errdef"
	"oras.land/oras-go/v2/registry"
	"oras.land/oras-go/v2/registry/remote"
	"oras.land/oras-go/v2/registry/remote/auth"
	"oras.land/oras-go/v2/registry/remote/errcode"
)

// Azure Functions runs containers of this platform.
var platform = &ocispec.Platform{OS: "linux", Architecture: "amd64"}

// An Error says why an image was not pinned.
type Error struct {
	Image string
	Err   error
}

func (e *Error) Error() string { return fmt.Sprintf("%s: %v", e.Image, e.Err) }
func (e *Error) Unwrap() error { return e.Err }

// Pin returns the Dockerfile with a digest after the tag of each of its Bases: the one that the image's registry has for
// the tag now, also if the name has another one. A name without a tag gets the tag latest, unless it has a digest: then it
// stays as it is. Pin asks all registries at the same time, without credentials, through transport (nil:
// [http.DefaultTransport]), and those on this machine over HTTP.
//
// An image stays as it is if its registry does not have it for linux/amd64, or does not answer before ctx ends. The error
// is then a join of one *Error per image.
func Pin(ctx context.Context, transport http.RoundTripper, dockerfile []byte) ([]byte, error) {
	bases := Bases(dockerfile)
	names, errs := make([]string, len(bases)), make([]error, len(bases))
	var asking sync.WaitGroup
	for i, base := range bases {
		asking.Go(func() {
			var err error
			if names[i], err = pin(ctx, transport, base.Name); err != nil {
				names[i], errs[i] = base.Name, &Error{base.Name, reason(ctx, err)}
			}
		})
	}
	asking.Wait()

	var text []byte
	rest := 0 // begins what is not copied yet
	for _, i := range byPosition(bases) {
		text = append(append(text, dockerfile[rest:bases[i].start]...), names[i]...)
		rest = bases[i].end
	}
	return append(text, dockerfile[rest:]...), errors.Join(errs...)
}

// byPosition returns the indexes of bases in the order of the text.
func byPosition(bases []Base) []int {
	order := make([]int, len(bases))
	for i := range order {
		order[i] = i
	}
	slices.SortFunc(order, func(a, b int) int { return cmp.Compare(bases[a].start, bases[b].start) })
	return order
}

// pin returns the name with the digest of its tag.
func pin(ctx context.Context, transport http.RoundTripper, name string) (string, error) {
	name, digest, _ := strings.Cut(name, "@")
	named, err := reference.ParseNormalizedNamed(name)
	if err != nil {
		return "", err
	}
	tagged, ok := named.(reference.Tagged)
	if !ok {
		if digest != "" {
			return name + "@" + digest, nil
		}
		name += ":latest"
		tagged = reference.TagNameOnly(named).(reference.Tagged)
	}
	repository := &remote.Repository{
		Client:    &auth.Client{Client: &http.Client{Transport: transport}, Header: http.Header{"User-Agent": {"mcpfunc"}}},
		Reference: registry.Reference{Registry: reference.Domain(named), Repository: reference.Path(named)},
		PlainHTTP: local(reference.Domain(named)),
	}
	tip, err := repository.Resolve(ctx, tagged.Tag())
	if err != nil {
		return "", err
	}
	// What is read now is checked against the digest. It names the whole index, with all platforms.
	if _, err := oras.Resolve(ctx, repository, tip.Digest.String(), oras.ResolveOptions{TargetPlatform: platform}); err != nil {
		if errors.Is(err, errdef.ErrNotFound) {
			err = errors.New("it is not for linux/amd64")
		}
		return "", err
	}
	return name + "@" + tip.Digest.String(), nil
}

// local reports whether a registry is on this machine.
func local(registry string) bool {
	host, _, _ := strings.Cut(registry, ":")
	return host == "localhost" || net.ParseIP(host).IsLoopback()
}

// reason returns err for people, without addresses, in which a registry may put what is not for a terminal or a log.
func reason(ctx context.Context, err error) error {
	answer, transport := (*errcode.ErrorResponse)(nil), (*url.Error)(nil)
	switch {
	case errors.Is(ctx.Err(), context.DeadlineExceeded):
		return errors.New("its registry does not answer in time")
	case errors.Is(err, errdef.ErrNotFound):
		return errors.New("its registry does not have it")
	case errors.As(err, &answer):
		switch answer.StatusCode {
		case http.StatusUnauthorized, http.StatusForbidden:
			return errors.New("it does not exist, or is not public")
		case http.StatusTooManyRequests:
			return errors.New("its registry accepts no more requests from this address now")
		}
		return fmt.Errorf("its registry answers %d", answer.StatusCode)
	case errors.As(err, &transport):
		return fmt.Errorf("its registry cannot be reached: %w", transport.Err)
	}
	return err
}
