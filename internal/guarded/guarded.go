// Package guarded marks the requests that Handler.Require asks Sessions about, so that package
// session can tell them from those of public pages.
package guarded

import "context"

type key struct{}

// With returns ctx with the mark. keepsForms says that Require keeps forms over a sign-in
// (HandlerConfig.FormAccount).
func With(ctx context.Context, keepsForms bool) context.Context {
	return context.WithValue(ctx, key{}, keepsForms)
}

// Is reports whether ctx has the mark.
func Is(ctx context.Context) bool { return ctx.Value(key{}) != nil }

// KeepsForms reports whether ctx has the mark of a Require that keeps forms.
func KeepsForms(ctx context.Context) bool {
	keeps, _ := ctx.Value(key{}).(bool)
	return keeps
}
