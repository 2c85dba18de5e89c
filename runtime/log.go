package runtime

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
)

// redacting is a handler that takes known secrets out of what the server writes to
// its log, whoever in it writes: what an authorization server, a store or a library
// says may repeat what it was sent.
type redacting struct {
	slog.Handler
	hide func(string) string
}

// Handle implements [slog.Handler].
func (h redacting) Handle(ctx context.Context, r slog.Record) error {
	out := slog.NewRecord(r.Time, r.Level, h.hide(r.Message), r.PC)
	r.Attrs(func(a slog.Attr) bool {
		out.AddAttrs(h.attr(a))
		return true
	})
	return h.Handler.Handle(ctx, out)
}

// WithAttrs implements [slog.Handler].
func (h redacting) WithAttrs(list []slog.Attr) slog.Handler {
	hidden := make([]slog.Attr, len(list))
	for i, a := range list {
		hidden[i] = h.attr(a)
	}
	return redacting{h.Handler.WithAttrs(hidden), h.hide}
}

// WithGroup implements [slog.Handler].
func (h redacting) WithGroup(name string) slog.Handler {
	return redacting{h.Handler.WithGroup(name), h.hide}
}

func (h redacting) attr(a slog.Attr) slog.Attr {
	v := a.Value.Resolve()
	switch v.Kind() {
	case slog.KindString:
		a.Value = slog.StringValue(h.hide(v.String()))
	case slog.KindGroup:
		list := make([]slog.Attr, len(v.Group()))
		for i, m := range v.Group() {
			list[i] = h.attr(m)
		}
		a.Value = slog.GroupValue(list...)
	case slog.KindAny:
		switch x := v.Any().(type) {
		case error:
			if text := x.Error(); h.hide(text) != text {
				a.Value = slog.AnyValue(errors.New(h.hide(text)))
			}
		case fmt.Stringer:
			if text := x.String(); h.hide(text) != text {
				a.Value = slog.StringValue(h.hide(text))
			}
		default:
			if text := fmt.Sprint(x); h.hide(text) != text {
				a.Value = slog.StringValue(h.hide(text))
			}
		}
	}
	return a
}
