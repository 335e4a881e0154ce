//go:build idp && keycloak

package idp

import (
	"bytes"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"testing"
)

var keycloak = product{
	name: "Keycloak " + keycloakVersion,
	needs: []need{
		{[]string{"java", "-version"}, "the Debian package openjdk-17-jre-headless"},
		{[]string{"mvn", "-version"}, "the Debian package maven"},
	},
	start: func(t *testing.T, clients []*client) running { return startKeycloak(t, clients) },
}

const keycloakAdmin = "admin"

// Knobs that are no attributes of the client.
const (
	knobMappers   = "mappers"   // false: the client has the mappers that Keycloak gives it, and no other
	knobInitiated = "initiated" // true: users can begin at Keycloak (Settings > IDP-Initiated SSO URL name)
	knobBack      = "back"      // true: Keycloak's server tells the service of a logout (Settings > Front channel logout off)
	knobRealm     = "realm"     // true: the client is in the realm whose keys change
)

// Attributes of a client, by their names in the console (Clients > client > Settings and Keys) and
// in the REST API. Their values are "true" and "false", or as stated.
const (
	// Signature and Encryption > Sign documents
	kcSignDocuments = "saml.server.signature"
	// Signature and Encryption > Sign assertions
	kcSignAssertions = "saml.assertion.signature"
	// Signature and Encryption > Signature algorithm: RSA_SHA256 and so on
	kcSignatureAlg = "saml.signature.algorithm"
	// Signature and Encryption > Canonicalization method: a URI
	kcCanonicalization = "saml_signature_canonicalization_method"
	// Signature and Encryption > SAML signature key name
	kcKeyName = "saml.server.signature.keyinfo.xmlSigKeyInfoKeyNameTransformer"
	// SAML capabilities > Name ID format: username, email, persistent, transient
	kcNameIDFormat = "saml_name_id_format"
	// SAML capabilities > Include AuthnStatement
	kcAuthnStatement = "saml.authnstatement"
	// SAML capabilities > Include OneTimeUse Condition
	kcOneTimeUse = "saml.onetimeuse.condition"
	// SAML capabilities > Force artifact binding
	kcArtifact = "saml.artifact.binding"
	// Keys > Client signature required
	kcClientSignature = "saml.client.signature"
	kcEncrypt         = "saml.encrypt" // Keys > Encrypt assertions
	// Signature and Encryption > Encryption algorithm: a URI
	kcEncryption = "saml.encryption.algorithm"
	// Signature and Encryption > Key transport algorithm: a URI
	kcKeyTransport = "saml.encryption.keyAlgorithm"
	// Signature and Encryption > Digest method for RSA-OAEP: a URI
	kcEncryptionDigest = "saml.encryption.digestMethod"
	// Signature and Encryption > Mask generation function: a URI
	kcEncryptionMask = "saml.encryption.maskGenerationFunction"
)

// Two realms have the clients of all rows: to make one takes Keycloak seconds, since it makes keys,
// roles and flows.
const (
	sharedRealm = "rows"
	keysRealm   = "keys" // its keys change
)

func (c *client) realm() string {
	if c.knobs[knobRealm] == true {
		return keysRealm
	}
	return sharedRealm
}

// runningKeycloak is a Keycloak with its clients.
type runningKeycloak struct {
	*server
	token string
}

func startKeycloak(t *testing.T, clients []*client) *runningKeycloak {
	t.Helper()
	password := rand.Text()
	k := &runningKeycloak{server: launchKeycloak(t, password)}
	k.signIn(t, password)
	k.call(t, "PUT", "/realms/master", map[string]any{"accessTokenLifespan": 3600}, nil) // instead of a minute
	k.signIn(t, password)
	k.addRealm(t, sharedRealm)
	k.addRealm(t, keysRealm)
	k.addNewKey(t)
	for _, c := range clients {
		if c.metadata != nil {
			k.addClient(t, c)
		}
	}
	return k
}

func (k *runningKeycloak) metadata(c *client) string {
	return k.base + "/realms/" + c.realm() + "/protocol/saml/descriptor"
}

func (k *runningKeycloak) initiate(c *client) string {
	return k.base + "/realms/" + c.realm() + "/protocol/saml/clients/" + c.slug
}

// signIn gets a token for the administrator.
func (k *runningKeycloak) signIn(t *testing.T, password string) {
	t.Helper()
	response, err := http.PostForm(k.base+"/realms/master/protocol/openid-connect/token",
		url.Values{"grant_type": {"password"}, "client_id": {"admin-cli"}, "username": {keycloakAdmin},
			"password": {password}})
	if err != nil {
		t.Fatal(err)
	}
	var answer struct {
		Token string `json:"access_token"`
	}
	k.read(t, response, &answer)
	k.token = answer.Token
}

// call sends a value, as JSON unless it is []byte (which is XML), to the REST API for
// administrators and reads the answer into another.
// https://www.keycloak.org/docs-api/latest/rest-api/index.html
func (k *runningKeycloak) call(t *testing.T, method, path string, send, receive any) {
	t.Helper()
	var body []byte
	kind := "application/json"
	switch v := send.(type) {
	case nil:
	case []byte:
		body, kind = v, "application/xml"
	default:
		var err error
		if body, err = json.Marshal(v); err != nil {
			t.Fatal(err)
		}
	}
	r, err := http.NewRequest(method, k.base+"/admin"+path, bytes.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Content-Type", kind)
	r.Header.Set("Authorization", "Bearer "+k.token)
	response, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	k.read(t, response, receive)
}

func (k *runningKeycloak) read(t *testing.T, response *http.Response, into any) {
	t.Helper()
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err == nil && response.StatusCode >= 300 {
		err = fmt.Errorf("%s", response.Status)
	}
	if err == nil && into != nil {
		err = json.Unmarshal(body, into)
	}
	if err != nil {
		t.Fatalf("%s %s: %v\n%.2000s", response.Request.Method, response.Request.URL, err, body)
	}
}

// addRealm makes a realm and its users. Their passwords are hashed once instead of Keycloak's many
// times, which would be most of the time of a row.
func (k *runningKeycloak) addRealm(t *testing.T, realm string) {
	t.Helper()
	var members []map[string]any
	var groups []map[string]string
	for _, u := range users {
		var email any // null, not ""
		if u.Email != "" {
			email = u.Email
		}
		members = append(members, map[string]any{"username": u.Name, "enabled": true, "email": email,
			"emailVerified": true, "firstName": u.Given, "lastName": u.Surname,
			"attributes": map[string][]string{"displayName": {u.display()}}, "groups": u.Groups,
			"credentials": []map[string]any{{"type": "password", "value": u.Name + "pass", "temporary": false}}})
		for _, g := range u.Groups {
			if group := map[string]string{"name": g}; !slices.ContainsFunc(groups,
				func(o map[string]string) bool { return o["name"] == g }) {
				groups = append(groups, group)
			}
		}
	}
	k.call(t, "POST", "/realms", map[string]any{"realm": realm, "enabled": true, "users": members, "groups": groups,
		"passwordPolicy": "hashAlgorithm(pbkdf2-sha256) and hashIterations(1)"}, nil)
	k.withoutProfile(t, realm)
}

// withoutProfile lets users without an e-mail address sign in without being asked for one.
func (k *runningKeycloak) withoutProfile(t *testing.T, realm string) {
	t.Helper()
	path := "/realms/" + realm + "/authentication/required-actions/VERIFY_PROFILE"
	var action map[string]any
	k.call(t, "GET", path, nil, &action)
	action["enabled"] = false
	k.call(t, "PUT", path, action, nil)
}

// addClient makes a client as Keycloak's own importer reads our metadata (Clients > Import client).
func (k *runningKeycloak) addClient(t *testing.T, c *client) {
	t.Helper()
	var imported map[string]any
	k.call(t, "POST", "/realms/"+c.realm()+"/client-description-converter", c.metadata, &imported)
	attributes := imported["attributes"].(map[string]any)
	for name, value := range c.knobs {
		if text, ok := value.(string); ok {
			attributes[name] = text
		}
	}
	if c.knobs[knobInitiated] == true {
		attributes["saml_idp_initiated_sso_url_name"] = c.slug
	}
	if c.knobs[knobBack] == true {
		imported["frontchannelLogout"] = false
	}
	if c.knobs[knobMappers] != false {
		imported["protocolMappers"] = keycloakMappers
	}
	k.call(t, "POST", "/realms/"+c.realm()+"/clients", imported, nil)
}

// keycloakMappers send the user's data (Clients > client > Client scopes > dedicated scope > Add
// mapper), under the names that the library reads.
var keycloakMappers = func() (list []map[string]any) {
	add := func(name, kind string, config map[string]string) {
		config["attribute.name"], config["attribute.nameformat"] = name, "Basic"
		list = append(list, map[string]any{"name": name, "protocol": "saml", "protocolMapper": kind, "config": config})
	}
	add("email", "saml-user-property-mapper", map[string]string{"user.attribute": "email"})
	add("firstName", "saml-user-property-mapper", map[string]string{"user.attribute": "firstName"})
	add("lastName", "saml-user-property-mapper", map[string]string{"user.attribute": "lastName"})
	add("displayName", "saml-user-attribute-mapper", map[string]string{"user.attribute": "displayName"})
	add("groups", "saml-group-membership-mapper", map[string]string{"single": "true", "full.path": "false"})
	return list
}()

// A keycloakKey is a key of a realm (Realm settings > Keys > Providers).
type keycloakKey struct {
	ID       string              `json:"id,omitempty"`
	Name     string              `json:"name"`
	Parent   string              `json:"parentId"`
	Provider string              `json:"providerId"`
	Type     string              `json:"providerType"`
	Config   map[string][]string `json:"config"`
}

// Names of the two signing keys of keysRealm. The first is the one that Keycloak makes with every
// realm.
const (
	keycloakOldKey = "rsa-generated"
	keycloakNewKey = "new"
)

const keycloakKeyProvider = "org.keycloak.keys.KeyProvider"

// addNewKey makes the second key of keysRealm, which is not used yet.
func (k *runningKeycloak) addNewKey(t *testing.T) {
	t.Helper()
	var realm struct {
		ID string `json:"id"`
	}
	k.call(t, "GET", "/realms/"+keysRealm, nil, &realm)
	k.call(t, "POST", "/realms/"+keysRealm+"/components", keycloakKey{Name: keycloakNewKey, Parent: realm.ID,
		Provider: "rsa-generated", Type: keycloakKeyProvider,
		Config: map[string][]string{"priority": {"0"}, "enabled": {"false"}, "active": {"true"},
			"keySize": {"2048"}}}, nil)
}

// setKeys enables these keys of keysRealm, and no other. The last one signs; all are in the
// metadata.
func (k *runningKeycloak) setKeys(t *testing.T, names ...string) {
	t.Helper()
	var keys []keycloakKey
	k.call(t, "GET", "/realms/"+keysRealm+"/components?type="+keycloakKeyProvider, nil, &keys)
	set := 0
	for _, key := range keys {
		if key.Provider != "rsa-generated" {
			continue
		}
		i := slices.Index(names, key.Name)
		key.Config["enabled"], key.Config["priority"] = []string{strconv.FormatBool(i >= 0)}, []string{strconv.Itoa(200 + i)}
		k.call(t, "PUT", "/realms/"+keysRealm+"/components/"+key.ID, key, nil)
		if i >= 0 {
			set++
		}
	}
	if set != len(names) {
		t.Fatalf("the realm has the signing keys %v, want %v among them", keys, names)
	}
}

// roll changes the keys of keysRealm.
func (k *runningKeycloak) roll(t *testing.T, phase keyPhase) {
	t.Helper()
	switch phase {
	case keysOld:
		k.setKeys(t, keycloakOldKey)
	case keysAnnounced:
		k.setKeys(t, keycloakNewKey, keycloakOldKey)
	case keysNew:
		k.setKeys(t, keycloakNewKey)
	}
}
