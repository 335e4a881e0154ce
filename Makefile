# The commands that people need here. make help lists them; CONTRIBUTING.md says more.

fuzztime = 1m

.DEFAULT_GOAL := help
.PHONY: help test race lint fuzz vectors rules bench demo console measure ci mutants

help: ## this list
	@awk -F ':.*## ' '/^[a-z]+:.*## / {printf "  make %-9s %s\n", $$1, $$2}' Makefile

test: ## the tests of all modules
	go test -timeout 30m work

race: ## the same with the race detector (needs a C compiler)
	go test -race -timeout 30m work

lint: ## formatting, vet, staticcheck and spelling, in all modules
	bash .ci/lint

fuzz: ## one fuzz target: make fuzz target=FuzzVerify pkg=./internal/dsig [fuzztime=1m]
	go test -run '^$$' -fuzz '^$(target)$$' -fuzztime $(fuzztime) $(pkg)

vectors: ## testdata/vectors, written again from tools/makevectors (needs xmlsec1)
	go run ./tools/makevectors

rules: ## the rules in docs/security.md, after a change to the vectors
	go test -run TestSecurityListsTheRules -update .

bench: ## time and memory beside the floor and other libraries
	cd bench && go run ./ratio

demo: ## a whole sign-in in the terminal
	go run ./cmd/samlsp demo

console: ## the console, with a local identity provider
	go run ./examples/dataplane

measure: ## size and shape of the code
	go run ./tools/measure

ci: ## everything that a change must pass, on Debian as root (25 minutes)
	bash .ci/run --outsider

mutants: ## changes to the verifier that no test notices (hours)
	bash .ci/long mutants
