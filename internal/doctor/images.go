package doctor

import (
	"os"

	"github.com/mcpfunc/mcpfunc/internal/image"
)

// images finds base images whose content can change between two builds.
func (p *Project) images() []Finding {
	const name = "Dockerfile"
	text, err := os.ReadFile(p.path(name))
	if err != nil {
		return nil // most projects do not have one
	}
	var all []Finding
	bases := image.Bases(text)
	for _, base := range bases {
		if !base.Pinned() {
			all = append(all, warning(name, "mcpfunc generate --pin", "%s:%d: base image %s is not pinned by digest", name, base.Line, base.Name))
		}
	}
	return unless(all, okay(name, "base images pinned by digest: %d", len(bases)))
}
