package function

import (
	"errors"
	"fmt"
	"strings"
)

// quotedError is an error that quotes values. Whose they are may read it; a log
// gets it without them, see [Unquoted].
type quotedError struct{ whole, bare string }

func (e *quotedError) Error() string { return e.whole }

// Quoting returns an error that says format with the values, each of them written
// by a verb for text.
func Quoting(format string, values ...any) error {
	bare := make([]any, len(values))
	for i := range bare {
		bare[i] = "…"
	}
	return &quotedError{fmt.Sprintf(format, values...), fmt.Sprintf(format, bare...)}
}

// Unquoted is the text of an error without the values that functions quote in it:
// they may be arguments that are secret, whole, cut or made into something else.
func Unquoted(err error) string {
	text := err.Error()
	if q, ok := errors.AsType[*quotedError](err); ok {
		text = strings.Replace(text, q.whole, q.bare, 1)
	}
	return text
}
