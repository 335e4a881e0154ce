//go:build idp && keycloak

package idp

import (
	"archive/zip"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// The release of Keycloak that the rows run against, an artifact of Maven Central, and what its
// file must be. On an update change both: sha256sum of the file that Maven's client puts into its
// repository.
const (
	keycloakVersion = "26.7.3"
	keycloakSHA256  = "27a6535553c3cdcd083872ba40629efafb3475e3b758e0c6f691395561dd0f1f"
)

// keycloakBuild are the settings that Keycloak compiles into its files, which takes longer than to
// start. A change makes a new build.
var keycloakBuild = []string{"--db=dev-mem", "--transaction-xa-enabled=false"}

// keycloakHome returns the directory of a Keycloak that is ready to start. It is kept in the folder
// that SAML_TEST_CACHE names (default iomete-saml in the user's folder for caches), so only the
// first run unpacks and builds it. If the file itself is not in Maven's repository yet, it is
// downloaded with SAML_TEST_REQUIRE=all; otherwise the test is skipped, since nobody expects 177 MB
// of a test.
func keycloakHome(t *testing.T) string {
	t.Helper()
	cache := os.Getenv("SAML_TEST_CACHE")
	if cache == "" {
		user, err := os.UserCacheDir()
		if err != nil {
			t.Fatal(err)
		}
		cache = filepath.Join(user, "iomete-saml")
	}
	key := sha256.Sum256([]byte(keycloakSHA256 + strings.Join(keycloakBuild, " ")))
	home := filepath.Join(cache, "keycloak-"+keycloakVersion+"-"+hex.EncodeToString(key[:4]))
	if _, err := os.Stat(home); err == nil {
		return home
	}
	file := keycloakFile(t)
	if err := os.MkdirAll(cache, 0o755); err != nil {
		t.Fatal(err)
	}
	work, err := os.MkdirTemp(cache, "unpacking-")
	if err != nil {
		t.Fatal(err)
	}
	defer os.RemoveAll(work)
	if err := unzip(file, work); err != nil {
		t.Fatal(err)
	}
	unpacked := filepath.Join(work, "keycloak-"+keycloakVersion)
	build := exec.Command(filepath.Join(unpacked, "bin", "kc.sh"), append([]string{"build"}, keycloakBuild...)...)
	build.Env = append(os.Environ(), "JAVA_OPTS_APPEND=-XX:TieredStopAtLevel=1")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("kc.sh build: %v\n%s", err, out)
	}
	if err := os.Rename(unpacked, home); err != nil && !errors.Is(err, fs.ErrExist) { // another run was faster
		t.Fatal(err)
	}
	return home
}

// keycloakFile returns the path of Keycloak's file, whose checksum is right.
func keycloakFile(t *testing.T) string {
	t.Helper()
	home, err := os.UserHomeDir()
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(home, ".m2", "repository", "org", "keycloak", "keycloak-quarkus-dist", keycloakVersion,
		"keycloak-quarkus-dist-"+keycloakVersion+".zip")
	if _, err := os.Stat(file); err != nil {
		get := []string{"mvn", "--batch-mode", "--quiet", "dependency:get",
			"-Dartifact=org.keycloak:keycloak-quarkus-dist:" + keycloakVersion + ":zip", "-Dtransitive=false"}
		if os.Getenv("SAML_TEST_REQUIRE") != "all" {
			t.Skipf("Keycloak %s is not there; to get it (177 MB): %s", keycloakVersion, strings.Join(get, " "))
		}
		if out, err := output(get...); err != nil {
			t.Fatalf("%s: %v\n%s", strings.Join(get, " "), err, out)
		}
	}
	if err := checkSum(file, keycloakSHA256); err != nil {
		t.Fatalf("%v: remove the file and download it again; for another release change keycloakVersion and keycloakSHA256", err)
	}
	return file
}

// checkSum compares the SHA-256 of a file, in hex digits.
func checkSum(file, want string) error {
	f, err := os.Open(file)
	if err != nil {
		return err
	}
	defer f.Close()
	sum := sha256.New()
	if _, err := io.Copy(sum, f); err != nil {
		return err
	}
	if got := hex.EncodeToString(sum.Sum(nil)); got != want {
		return fmt.Errorf("%s has the SHA-256 %s, want %s", file, got, want)
	}
	return nil
}

func TestCheckSum(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, []byte("abc"), 0o600); err != nil {
		t.Fatal(err)
	}
	const abc = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad" // FIPS 180-2, appendix B.1
	if err := checkSum(file, abc); err != nil {
		t.Error(err)
	}
	if err := checkSum(file, keycloakSHA256); err == nil {
		t.Error("a file with another checksum is taken")
	}
}

// unzip unpacks an archive whose checksum was compared. os.Root keeps it below dir all the same.
func unzip(file, dir string) error {
	archive, err := zip.OpenReader(file)
	if err != nil {
		return err
	}
	defer archive.Close()
	root, err := os.OpenRoot(dir)
	if err != nil {
		return err
	}
	defer root.Close()
	for _, f := range archive.File {
		if f.FileInfo().IsDir() {
			continue
		}
		if err := unzipFile(root, f); err != nil {
			return fmt.Errorf("%s: %w", f.Name, err)
		}
	}
	return nil
}

func unzipFile(root *os.Root, f *zip.File) error {
	if err := root.MkdirAll(filepath.Dir(f.Name), 0o755); err != nil {
		return err
	}
	in, err := f.Open()
	if err != nil {
		return err
	}
	defer in.Close()
	out, err := root.OpenFile(f.Name, os.O_CREATE|os.O_EXCL|os.O_WRONLY, f.Mode().Perm()|0o600)
	if err != nil {
		return err
	}
	_, err = io.Copy(out, in)
	return errors.Join(err, out.Close())
}

// launchKeycloak starts a Keycloak with an empty database in memory. kc.sh would be a parent of the
// server, so java itself is run as kc.sh runs it.
func launchKeycloak(t *testing.T, password string) *server {
	t.Helper()
	home, port := keycloakHome(t), freePort(t)
	command := exec.Command("java",
		"-Xms256m", "-Xmx1g", "-XX:+UseSerialGC", "-Dfile.encoding=UTF-8", "-Djava.security.egd=file:/dev/urandom",
		"-Duser.language=en", "-Duser.country=US",
		"--add-opens=java.base/java.util=ALL-UNNAMED", "--add-opens=java.base/java.util.concurrent=ALL-UNNAMED",
		"--add-opens=java.base/java.security=ALL-UNNAMED", "--add-opens=java.base/java.lang=ALL-UNNAMED",
		"-Djava.util.concurrent.ForkJoinPool.common.threadFactory=io.quarkus.bootstrap.forkjoin.QuarkusForkJoinWorkerThreadFactory",
		"-Dkc.home.dir="+home, "-Djboss.server.config.dir="+filepath.Join(home,
			"conf"), "-Djava.util.logging.manager=org.jboss.logmanager.LogManager", "-Dpicocli.disable.closures=true",
		"-Djava.io.tmpdir="+t.TempDir(),
		"-cp", filepath.Join(home, "lib", "quarkus-run.jar"), "io.quarkus.bootstrap.runner.QuarkusEntryPoint",
		"start", "--optimized", "--cache=local", "--http-enabled=true", "--http-host=127.0.0.1", fmt.Sprintf("--http-port=%d", port), fmt.Sprintf("--hostname=http://localhost:%d", port))
	command.Env = append(os.Environ(), "KC_BOOTSTRAP_ADMIN_USERNAME="+keycloakAdmin,
		"KC_BOOTSTRAP_ADMIN_PASSWORD="+password)
	return launch(t, port, "/realms/master", command)
}
