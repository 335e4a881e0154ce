package idp

import (
	"fmt"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

var simpleSAMLphp = product{
	name: "SimpleSAMLphp",
	needs: []need{
		{[]string{"php", "-r", `require "/usr/share/simplesamlphp/lib/_autoload.php"; foreach (["dom", "mbstring", "curl"] as $e) { if (!extension_loaded($e)) { exit(1); } }`},
			"the Debian packages simplesamlphp, php8.2-cli, php8.2-xml, php8.2-mbstring and php8.2-curl"},
	},
	start: startSimpleSAMLphp,
}

type runningSimpleSAMLphp struct {
	*server
	dir string
}

// startSimpleSAMLphp serves it with PHP's own web server. The knobs are fields of saml20-sp-remote.php
// (https://simplesamlphp.org/docs/1.19/simplesamlphp-reference-sp-remote.html), put over what SimpleSAMLphp reads in our metadata.
func startSimpleSAMLphp(t *testing.T, clients []*client) running {
	dir := t.TempDir()
	r := &runningSimpleSAMLphp{dir: dir}
	writeClients(t, dir, clients)
	writeJSON(t, filepath.Join(dir, "users.json"), users)
	productPair().write(t, filepath.Join(dir, "old.key"), filepath.Join(dir, "old.crt"))
	nextPair().write(t, filepath.Join(dir, "new.key"), filepath.Join(dir, "new.crt"))
	r.roll(t, keysOld)
	www := filepath.Join(dir, "www")
	if err := os.Mkdir(www, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink("/usr/share/simplesamlphp/www", filepath.Join(www, "simplesaml")); err != nil {
		t.Fatal(err)
	}
	port := freePort(t)
	command := exec.Command("php", "-d", "session.gc_probability=0", "-d", "log_errors=1", "-d", "error_log=", "-S", fmt.Sprintf("127.0.0.1:%d", port), "-t", www)
	// Without PHP_CLI_SERVER_WORKERS: workers would outlive the server and keep its port.
	command.Env = append(os.Environ(), "PHP_CLI_SERVER_WORKERS=", "SIMPLESAMLPHP_CONFIG_DIR="+filepath.Join(productsDir(t, "simplesamlphp"), "config"), "IDP_DIR="+dir, fmt.Sprintf("IDP_BASE=http://localhost:%d", port))
	r.server = launch(t, port, "/simplesaml/saml2/idp/metadata.php", command)
	return r
}

func (r *runningSimpleSAMLphp) metadata(*client) string {
	return r.base + "/simplesaml/saml2/idp/metadata.php"
}

func (r *runningSimpleSAMLphp) initiate(c *client) string {
	return r.base + "/simplesaml/saml2/idp/SSOService.php?spentityid=" + url.QueryEscape(c.entityID)
}

// roll changes the keys. It is read with every request.
func (r *runningSimpleSAMLphp) roll(t *testing.T, k keyPhase) {
	keys := map[string]string{"signs": "old", "announced": ""}
	switch k {
	case keysAnnounced:
		keys["announced"] = "new"
	case keysNew:
		keys["signs"] = "new"
	}
	writeJSON(t, filepath.Join(r.dir, "keys.json"), keys)
}

func TestSimpleSAMLphp(t *testing.T) {
	run(t, simpleSAMLphp, []row{
		{name: "assertion signed, redirect", want: want{identity: sameUser("alice")}},
	})
}
