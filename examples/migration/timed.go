package main

import (
	"context"
	"log/slog"
	"time"

	"github.com/mcpc-dev/mcpc/runtime"
)

// timed logs every call and how long it took. It does not know, and need not,
// which tools are native.
func timed(log *slog.Logger) runtime.Middleware {
	return func(next runtime.Handler) runtime.Handler {
		return func(ctx context.Context, c *runtime.Call) (*runtime.Result, error) {
			start := time.Now()
			res, err := next(ctx, c)
			log.InfoContext(ctx, "called", "tool", c.Tool, "took", time.Since(start), "ok", err == nil && res != nil && !res.IsError)
			return res, err
		}
	}
}
