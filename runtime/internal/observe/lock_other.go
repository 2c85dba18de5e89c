//go:build !unix

package observe

import "os"

// lockFile does nothing: that only one process writes a file is the operator's
// word here.
func lockFile(*os.File) error { return nil }
