// Package guarded marks the requests that Handler.Require asks Sessions about, so that package
// session can tell them from those of public pages.
package guarded

import "context"

type key struct{}

// With returns ctx with the mark.
func With(ctx context.Context) context.Context { return context.WithValue(ctx, key{}, true) }

// Is reports whether ctx has the mark.
func Is(ctx context.Context) bool { return ctx.Value(key{}) != nil }
