// Package progress carries word of how far a call is from the code that works
// on it to the transport that tells the client. It travels in the context, so
// that nothing between the two needs to know of it.
package progress

import "context"

// Note is how far a call is.
type Note struct {
	Done    int    // parts that are finished; it grows from note to note
	Total   int    // parts there will be, at most; 0 when nobody knows
	Message string // one line for people: "page 2 of at most 5, 60 items so far"
}

type key struct{}

// With returns a context whose work reports to f. f may be called from several
// goroutines and must not block. Nil silences the work of the context, as that
// of a part whose own parts are nobody's business.
func With(ctx context.Context, f func(Note)) context.Context {
	return context.WithValue(ctx, key{}, f)
}

// Wanted tells whether anybody hears what is reported, for work whose messages
// cost something to make.
func Wanted(ctx context.Context) bool {
	f, _ := ctx.Value(key{}).(func(Note))
	return f != nil
}

// Report says that done of total parts are finished. A report of 0 sends nothing:
// it says before the first part that there are parts, which keeps the
// transport from counting seconds instead. Reports that come faster than the
// client reads are dropped.
func Report(ctx context.Context, done, total int, message string) {
	if f, _ := ctx.Value(key{}).(func(Note)); f != nil {
		f(Note{Done: done, Total: total, Message: message})
	}
}
