package secret

import (
	"context"
	"errors"
	"os/exec"
	"strings"
	"time"

	"github.com/mcpc-dev/mcpc/runtime/plan"
)

const (
	defaultExecTime = 10 * time.Second
	maxOutput       = 64 << 10 // bytes that a program prints
	// endWithin is how long a program that was killed may keep its output open,
	// by a child that lives on.
	endWithin = time.Second
)

var errOutput = errors.New("too much output")

// bounded is a buffer that refuses more than maxOutput bytes.
type bounded struct {
	text []byte
	full bool
}

func (b *bounded) Write(p []byte) (int, error) {
	if len(b.text)+len(p) > maxOutput {
		b.full = true
		return 0, errOutput
	}
	b.text = append(b.text, p...)
	return len(p), nil
}

// run starts a program, without a shell and without input, and returns what it
// prints, without the line end. Its error output goes nowhere: it may repeat
// what must not be shown.
func run(ref plan.Secret) (string, *Error) {
	limit := ref.Timeout
	if limit <= 0 {
		limit = defaultExecTime
	}
	ctx, cancel := context.WithTimeout(context.Background(), limit)
	defer cancel()
	cmd := exec.CommandContext(ctx, ref.Exec[0], ref.Exec[1:]...) //nolint:gosec // what the author of the spec wrote
	cmd.WaitDelay = endWithin
	var out bounded
	cmd.Stdout = &out
	err := cmd.Run()
	var ended *exec.ExitError
	switch {
	case ctx.Err() != nil:
		return "", &Error{Passing: true, Message: "the program did not end within " + limit.String()}
	case out.full:
		return "", &Error{Message: "the program prints more than 64 KiB"}
	case errors.As(err, &ended):
		return "", &Error{Passing: true, Message: "the program failed"}
	case err != nil:
		return "", &Error{Message: "the program cannot be started"}
	}
	return strings.TrimSuffix(strings.TrimSuffix(string(out.text), "\n"), "\r"), nil
}
