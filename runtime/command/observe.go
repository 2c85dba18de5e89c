package command

import (
	"context"
	"io"

	"github.com/mcpc-dev/mcpc/runtime/internal/observe"
)

// AuditEnd is where an audit log ends: how many lines it has, and the hash of the
// last.
type AuditEnd = observe.Chain

// AuditBroken is the error of an audit log whose chain is broken.
type AuditBroken = observe.BrokenError

// VerifyAudit follows the chain of an audit log. The error is an [*AuditBroken],
// or that of r. With a head, a hash that was noted earlier, a log that does not
// have it any more is broken, too.
func VerifyAudit(r io.Reader, head string) (AuditEnd, error) {
	return observe.VerifyAudit(r, head)
}

// TailOptions say which lines of a log are shown, and how.
type TailOptions = observe.TailOptions

// Tail copies a log of calls from r to w, as people read it.
func Tail(r io.Reader, w io.Writer, o TailOptions) error { return observe.Tail(r, w, o) }

// Follow is [Tail] of a file that goes on until ctx ends, whose error it returns,
// also over the rotation of the file.
func Follow(ctx context.Context, file string, w io.Writer, o TailOptions) error {
	return observe.Follow(ctx, file, w, o)
}
