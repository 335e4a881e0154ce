//go:build !race

package e2e

// engines are the browsers that the scenarios run in.
var engines = []engine{chromium, firefox, webkit}
