package observe

import "context"

// Scope is the context of one request of a client and of the work it makes. It says
// what is known of the request to whoever writes about that work. One object holds
// it all, since every request has one.
type Scope struct {
	context.Context
	Incoming *Incoming // what the request came with; nil when no client made it
	Trace    Trace     // zero when nobody reads it
	Request  *Request  // what telemetry is told of it; nil for nothing
	// Unrecorded says that telemetry makes no spans of the request.
	Unrecorded bool
	// Shared says that several requests have the scope: each that is to be observed
	// makes one of its own.
	Shared bool
}

type scopeKey struct{}

// Value is that of the context below, and the scope itself for [ScopeOf].
func (s *Scope) Value(key any) any {
	if key == (scopeKey{}) {
		return s
	}
	return s.Context.Value(key)
}

// ScopeOf is the innermost scope of a context; nil when there is none.
func ScopeOf(ctx context.Context) *Scope {
	s, _ := ctx.Value(scopeKey{}).(*Scope)
	return s
}

// Own is the scope of ctx if only one request has it, and otherwise a new one.
func Own(ctx context.Context) (context.Context, *Scope) {
	s := ScopeOf(ctx)
	if s != nil && !s.Shared {
		return ctx, s
	}
	s = within(ctx)
	return s, s
}

// within is a scope within that of ctx.
func within(ctx context.Context) *Scope {
	s := new(Scope)
	if outer := ScopeOf(ctx); outer != nil {
		*s = *outer
	}
	s.Context, s.Shared = ctx, false
	return s
}

// WithTrace returns a context of a call that has a trace of its own.
func WithTrace(ctx context.Context, t Trace) context.Context {
	s := within(ctx)
	s.Trace = t
	return s
}

// TraceOf is the trace of the call of ctx; the zero value when it has none.
func TraceOf(ctx context.Context) Trace {
	if s := ScopeOf(ctx); s != nil {
		return s.Trace
	}
	return Trace{}
}

// incoming is what the request came with; nil when no client made it.
func (s *Scope) incoming() *Incoming {
	if s == nil {
		return nil
	}
	return s.Incoming
}

// IncomingOf is what the request of ctx came with; empty when no client made it.
func IncomingOf(ctx context.Context) Incoming {
	if in := ScopeOf(ctx).incoming(); in != nil {
		return *in
	}
	return Incoming{}
}

// RequestOf is what telemetry is told of the request of ctx; nil for nothing.
func RequestOf(ctx context.Context) *Request {
	if s := ScopeOf(ctx); s != nil {
		return s.Request
	}
	return nil
}
