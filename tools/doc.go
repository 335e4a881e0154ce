// Package tools is a module of its own for the programs that check the others: staticcheck and govulncheck, run by .ci/run.
package tools
