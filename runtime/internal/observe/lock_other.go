//go:build !unix

package observe

import "os"

// lockFile does nothing: that only one process writes a file is the operator's
// word here.
func lockFile(*os.File) error { return nil }

// deleted tells whether a file has no name any more. Elsewhere one that is open
// cannot be deleted, or it is not known.
func deleted(*os.File) bool { return false }
