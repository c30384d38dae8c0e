package packprobe

import (
	"os"
	"os/exec"
	"sync"
)

// demotion returns a command line that takes from root what lets it write where modes forbid it
// (capabilities(7): CAP_DAC_OVERRIDE, CAP_FOWNER), to be put before another; nil where this is not root or
// setpriv, of util-linux, does not do it.
var demotion = sync.OnceValue(func() []string {
	if os.Geteuid() != 0 {
		return nil
	}
	path, err := exec.LookPath("setpriv")
	if err != nil {
		return nil
	}
	words := []string{path, "--bounding-set", "-dac_override,-fowner", "--"}
	if exec.Command(words[0], append(words[1:], "true")...).Run() != nil {
		return nil
	}
	return words
})
