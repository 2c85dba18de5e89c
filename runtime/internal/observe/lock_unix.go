//go:build unix

package observe

import (
	"os"
	"syscall"
)

// lockFile keeps other processes from writing a file.
func lockFile(f *os.File) error { return syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB) }
