package packmanifest

import (
	"path/filepath"
	"strconv"
)

// Dotnet is what a program of .NET needs to know of where it runs.
type Dotnet struct {
	Shared      bool `json:"shared,omitempty"`       // it runs on File.Dotnet; else it brings its runtime
	RollForward bool `json:"roll_forward,omitempty"` // on a newer major version than the one that it names
	OwnICU      bool `json:"own_icu,omitempty"`      // it brings the data of cultures
}

// dotnet returns the variables for a program of .NET (learn.microsoft.com/dotnet/core/runtime-config and
// .../tools/dotnet-environment-variables); nil for another.
//
// By itself .NET lets every process have three quarters of the machine, with a heap for each core. A process
// is one session of many, so it has one heap, of half of the machine at most: beyond that a call fails, and
// not a neighbour. Nor does it open the sockets of its debugger, by which any process of this user could read
// its memory, and which stay in /tmp when it is killed.
func (s *Starter) dotnet(d *Dotnet) map[string]string {
	if d == nil {
		return nil
	}
	env := map[string]string{"DOTNET_gcServer": "0", "DOTNET_EnableDiagnostics": "0"}
	if d.Shared {
		env["DOTNET_ROOT"] = filepath.Join(s.Dir, filepath.FromSlash(s.File.Dotnet.Path))
	}
	if d.RollForward {
		env["DOTNET_ROLL_FORWARD"] = "Major"
	}
	if s.Memory > 0 {
		env["DOTNET_GCHeapHardLimit"] = strconv.FormatInt(s.Memory/2, 16)
	}
	if !d.OwnICU && !s.hasICU() {
		// Cultures by name are then all like the invariant one, where otherwise naming one would be an error.
		env["DOTNET_SYSTEM_GLOBALIZATION_INVARIANT"] = "1"
		env["DOTNET_SYSTEM_GLOBALIZATION_PREDEFINED_CULTURES_ONLY"] = "0"
	}
	return env
}

// libraryFolders are where a loader looks for the libraries of a system.
var libraryFolders = []string{
	"/lib", "/lib64", "/usr/lib", "/usr/lib64", "/usr/local/lib",
	"/lib/x86_64-linux-gnu", "/usr/lib/x86_64-linux-gnu", "/lib/aarch64-linux-gnu", "/usr/lib/aarch64-linux-gnu",
}

// hasICU reports whether the system has the data of cultures, without which .NET ends at its start unless it
// is told to do without.
func (s *Starter) hasICU() bool {
	folders := s.Libraries
	if folders == nil {
		folders = libraryFolders
	}
	for _, dir := range folders {
		if found, err := filepath.Glob(filepath.Join(dir, "libicuuc.so.*")); err == nil && len(found) > 0 {
			return true
		}
	}
	return false
}
