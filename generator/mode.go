package generator

// A Mode says whose the files are that writing finds in its way. Nothing on disk tells for certain,
// and a record of it could be lost or wrong, so the caller says which of the two it is.
type Mode int

// The modes, named for the commands that mean them.
const (
	// Init makes a project: whatever is there already is somebody else's, and differing from the
	// plan makes it a conflict, even for files that the user will own.
	Init Mode = iota

	// Generate brings a project in line: what is yours stays, what is ours is written over, and what
	// is ours and no longer planned goes. Files under third_party/mcpfunc are ours as long as they
	// are what SHA256SUMS beside them says; edited ones are conflicts. The directory must hold a
	// project (see Load).
	Generate
)
