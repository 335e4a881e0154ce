// Package tools is a module of its own for the programs that check the others (staticcheck,
// govulncheck, gotestsum and misspell, run by .ci/run), and for those that make the test vectors,
// change the verifier to see what no test notices, and measure the code.
package tools
