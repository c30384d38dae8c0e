package image

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestBases(t *testing.T) {
	t.Parallel()
	const text = `# FROM comment:1
ARG GO_IMAGE=golang:1.26
ARG UNUSED=unused:1
FROM ${GO_IMAGE} AS build
FROM --platform=$BUILDPLATFORM node:22@sha256:0 as node
FROM scratch AS empty
FROM build AS again
FROM registry.example.com:5000/team/$NAME:1
FROM $GO_IMAGE
COPY --from=node /node /node
COPY --from=0 /go /go
COPY --chown=1:1 --from=ghcr.io/astral-sh/uv:0.9 /uv /bin/
COPY . .
  from python
RUN echo FROM nothing:1
`
	want := []struct {
		Name   string
		Line   int
		Pinned bool
	}{
		{"golang:1.26", 2, false},
		{"node:22@sha256:0", 5, true},
		{"ghcr.io/astral-sh/uv:0.9", 12, false},
		{"python", 14, false},
	}
	got := want[:0:0]
	for _, b := range Bases([]byte(text)) {
		if text[b.start:b.end] != b.Name {
			t.Errorf("%s is at %q", b.Name, text[b.start:b.end])
		}
		got = append(got, struct {
			Name   string
			Line   int
			Pinned bool
		}{b.Name, b.Line, b.Pinned()})
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("bases (-want +got):\n%s", diff)
	}
}
