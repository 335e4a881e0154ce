package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// variable chooses the change.
const variable = "SAML_MUTANT"

// build compiles the tests of all packages with the changed files.
func build(dir string, overlay map[string]string) (binaries, error) {
	data, err := json.Marshal(map[string]any{"Replace": overlay})
	if err != nil {
		return nil, err
	}
	file := filepath.Join(dir, "overlay.json")
	if err := os.WriteFile(file, data, 0o600); err != nil {
		return nil, err
	}
	b := binaries{}
	for pkg := range targets {
		b[pkg] = filepath.Join(dir, strings.ReplaceAll(pkg, "/", "_")+".test")
		if out, err := exec.Command("go", "test", "-c", "-vet=off", "-overlay", file, "-o", b[pkg],
			pkg).CombinedOutput(); err != nil {
			return nil, fmt.Errorf("%s with the changes does not compile: %w\n%s", pkg, err, out)
		}
	}
	return b, nil
}

// test runs a test program with a change and reports whether it passes in time.
func test(command []string, pkg string, number int, limit time.Duration) (output string, ok bool) {
	ctx, cancel := context.WithTimeout(context.Background(), limit)
	defer cancel()
	cmd := exec.CommandContext(ctx, command[0],
		append(command[1:], "-test.failfast", "-test.timeout="+limit.String())...)
	cmd.Dir = directory(command[0], pkg)
	cmd.Env = append(os.Environ(), variable+"="+strconv.Itoa(number), "GOMAXPROCS=1", "GOMEMLIMIT=2GiB")
	cmd.WaitDelay = time.Second
	out, err := cmd.CombinedOutput()
	return string(out), err == nil
}

// directory is where tests run: that of their package.
func directory(binary, pkg string) string {
	if strings.HasSuffix(binary, strings.ReplaceAll(pkg, "/", "_")+".test") {
		return filepath.FromSlash("./" + strings.TrimPrefix(strings.TrimPrefix(pkg, "github.com/iomete/saml"), "/"))
	}
	return "."
}
