//go:build race

package e2e

// engines is one browser with the race detector: it watches our servers, and one browser makes them
// do all that they can.
var engines = []engine{chromium}
