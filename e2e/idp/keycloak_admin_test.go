package idp

import (
	"bytes"
	"cmp"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/url"
	"strconv"
	"strings"
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
	knobUsers   = "users"   // []string: who is in the realm; default alice
	knobMappers = "mappers" // false: the client has the mappers that Keycloak gives it, and no other
)

// Attributes of a client, by their names in the console (Clients > client > Settings and Keys) and in the REST API. Their values are "true"
// and "false", or as stated.
const (
	kcSignDocuments    = "saml.server.signature"                                         // Signature and Encryption > Sign documents
	kcSignAssertions   = "saml.assertion.signature"                                      // Signature and Encryption > Sign assertions
	kcSignatureAlg     = "saml.signature.algorithm"                                      // Signature and Encryption > Signature algorithm: RSA_SHA256 and so on
	kcCanonicalization = "saml_signature_canonicalization_method"                        // Signature and Encryption > Canonicalization method: a URI
	kcKeyName          = "saml.server.signature.keyinfo.xmlSigKeyInfoKeyNameTransformer" // Signature and Encryption > SAML signature key name
	kcNameIDFormat     = "saml_name_id_format"                                           // SAML capabilities > Name ID format: username, email, persistent, transient
	kcForceNameID      = "saml_force_name_id_format"                                     // SAML capabilities > Force name ID format
	kcAuthnStatement   = "saml.authnstatement"                                           // SAML capabilities > Include AuthnStatement
	kcOneTimeUse       = "saml.onetimeuse.condition"                                     // SAML capabilities > Include OneTimeUse Condition
	kcArtifact         = "saml.artifact.binding"                                         // SAML capabilities > Force artifact binding
	kcClientSignature  = "saml.client.signature"                                         // Keys > Client signature required
	kcEncrypt          = "saml.encrypt"                                                  // Keys > Encrypt assertions
	kcEncryption       = "saml.encryption.algorithm"                                     // Keys > Encryption algorithm: a URI
	kcKeyTransport     = "saml.encryption.keyAlgorithm"                                  // Keys > Key transport algorithm: a URI
	kcEncryptionDigest = "saml.encryption.digestMethod"                                  // Keys > Digest method for RSA-OAEP: a URI
	kcEncryptionMask   = "saml.encryption.maskGenerationFunction"                        // Keys > Mask generation function: a URI
	kcInitiated        = "saml_idp_initiated_sso_url_name"                               // Settings > IDP-Initiated SSO URL name
)

// runningKeycloak is a Keycloak with a realm for each client.
type runningKeycloak struct {
	*server
	t     *testing.T // of the product, not of a row
	token string
}

func startKeycloak(t *testing.T, clients []*client) *runningKeycloak {
	t.Helper()
	password := rand.Text()
	k := &runningKeycloak{server: launchKeycloak(t, password), t: t}
	k.signIn(password)
	k.call("PUT", "/realms/master", map[string]any{"accessTokenLifespan": 3600}, nil) // instead of a minute
	k.signIn(password)
	for _, c := range clients {
		k.addRealm(c)
	}
	return k
}

func (k *runningKeycloak) metadata(c *client) string {
	return k.base + "/realms/" + c.slug + "/protocol/saml/descriptor"
}

func (k *runningKeycloak) initiate(c *client) string {
	return k.base + "/realms/" + c.slug + "/protocol/saml/clients/" + c.knobs[kcInitiated].(string)
}

// signIn gets a token for the administrator.
func (k *runningKeycloak) signIn(password string) {
	k.t.Helper()
	response, err := http.PostForm(k.base+"/realms/master/protocol/openid-connect/token",
		url.Values{"grant_type": {"password"}, "client_id": {"admin-cli"}, "username": {keycloakAdmin}, "password": {password}})
	if err != nil {
		k.t.Fatal(err)
	}
	var answer struct {
		Token string `json:"access_token"`
	}
	k.read(response, &answer)
	k.token = answer.Token
}

// call sends a value, as JSON unless it is []byte (which is XML), to the REST API for administrators and reads the answer into another.
// https://www.keycloak.org/docs-api/latest/rest-api/index.html
func (k *runningKeycloak) call(method, path string, send, receive any) {
	k.t.Helper()
	var body []byte
	kind := "application/json"
	switch v := send.(type) {
	case nil:
	case []byte:
		body, kind = v, "application/xml"
	default:
		var err error
		if body, err = json.Marshal(v); err != nil {
			k.t.Fatal(err)
		}
	}
	r, err := http.NewRequest(method, k.base+"/admin"+path, bytes.NewReader(body))
	if err != nil {
		k.t.Fatal(err)
	}
	r.Header.Set("Content-Type", kind)
	r.Header.Set("Authorization", "Bearer "+k.token)
	response, err := http.DefaultClient.Do(r)
	if err != nil {
		k.t.Fatal(err)
	}
	k.read(response, receive)
}

func (k *runningKeycloak) read(response *http.Response, into any) {
	k.t.Helper()
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err == nil && response.StatusCode >= 300 {
		err = fmt.Errorf("%s", response.Status)
	}
	if err == nil && into != nil {
		err = json.Unmarshal(body, into)
	}
	if err != nil {
		k.t.Fatalf("%s %s: %v\n%.2000s", response.Request.Method, response.Request.URL, err, body)
	}
}

// addRealm makes a realm with its users, and a client as Keycloak's own importer reads our metadata (Clients > Import client).
func (k *runningKeycloak) addRealm(c *client) {
	k.t.Helper()
	names, _ := c.knobs[knobUsers].([]string)
	if names == nil {
		names = []string{"alice"}
	}
	var members []map[string]any
	var groups []map[string]string
	for _, name := range names {
		u := keycloakUsers[name]
		var email any // null, not ""
		if u.Email != "" {
			email = u.Email
		}
		members = append(members, map[string]any{"username": u.Name, "enabled": true, "email": email, "emailVerified": true, "firstName": u.Given, "lastName": u.Surname,
			"attributes": map[string][]string{"displayName": {u.display()}}, "groups": u.Groups,
			"credentials": []map[string]any{{"type": "password", "value": u.Name + "pass", "temporary": false}}})
		for _, g := range u.Groups {
			groups = append(groups, map[string]string{"name": g})
		}
	}
	k.call("POST", "/realms", map[string]any{"realm": c.slug, "enabled": true, "users": members, "groups": groups}, nil)
	k.withoutProfile(c)
	if c.metadata != nil {
		k.addClient(c)
	}
}

// withoutProfile lets users without an e-mail address sign in without being asked for one.
func (k *runningKeycloak) withoutProfile(c *client) {
	k.t.Helper()
	path := "/realms/" + c.slug + "/authentication/required-actions/VERIFY_PROFILE"
	var action map[string]any
	k.call("GET", path, nil, &action)
	action["enabled"] = false
	k.call("PUT", path, action, nil)
}

func (k *runningKeycloak) addClient(c *client) {
	k.t.Helper()
	var imported map[string]any
	k.call("POST", "/realms/"+c.slug+"/client-description-converter", c.metadata, &imported)
	attributes := imported["attributes"].(map[string]any)
	for name, value := range c.knobs {
		if name != knobUsers && name != knobMappers {
			attributes[name] = value
		}
	}
	if c.knobs[knobMappers] != false {
		imported["protocolMappers"] = keycloakMappers
	}
	k.call("POST", "/realms/"+c.slug+"/clients", imported, nil)
}

// keycloakMappers send the user's data (Clients > client > Client scopes > dedicated scope > Add mapper), under the names that the library reads.
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

// keycloakUsers are those of all products and some that only Keycloak has.
var keycloakUsers = func() map[string]user {
	m := maps.Clone(usersByName)
	m["bob"] = user{Name: "bob", Given: "Bob", Surname: "Example"} // without an e-mail address
	m["jürgen"] = user{Name: "jürgen", Email: "juergen@example.com", Given: "Jürgen", Surname: "Example"}
	return m
}()

// A keycloakKey is a key of a realm (Realm settings > Keys > Add providers).
type keycloakKey struct {
	ID       string              `json:"id,omitempty"`
	Name     string              `json:"name"`
	Parent   string              `json:"parentId"`
	Provider string              `json:"providerId"`
	Type     string              `json:"providerType"`
	Config   map[string][]string `json:"config"`
}

func (key keycloakKey) priority() int {
	n, _ := strconv.Atoi(strings.Join(key.Config["priority"], ""))
	return n
}

// signingKeys returns the keys of the client's realm, and the realm's ID.
func (k *runningKeycloak) signingKeys(c *client) (keys []keycloakKey, realm string) {
	k.t.Helper()
	var r struct {
		ID string `json:"id"`
	}
	k.call("GET", "/realms/"+c.slug, nil, &r)
	k.call("GET", "/realms/"+c.slug+"/components?type=org.keycloak.keys.KeyProvider", nil, &keys)
	var list []keycloakKey
	for _, key := range keys {
		if key.Provider == "rsa-generated" {
			list = append(list, key)
		}
	}
	return list, r.ID
}

// rotate adds a key that signs from now on. The old ones stay in the metadata.
func (k *runningKeycloak) rotate(c *client) {
	k.t.Helper()
	keys, realm := k.signingKeys(c)
	top := 0
	for _, key := range keys {
		top = max(top, key.priority())
	}
	next := keycloakKey{Name: "next", Parent: realm, Provider: "rsa-generated", Type: "org.keycloak.keys.KeyProvider",
		Config: map[string][]string{"priority": {strconv.Itoa(top + 1)}, "enabled": {"true"}, "active": {"true"}, "keySize": {"2048"}}}
	k.call("POST", "/realms/"+c.slug+"/components", next, nil)
}

// drop removes all keys but the one that signs.
func (k *runningKeycloak) drop(c *client) {
	k.t.Helper()
	keys, _ := k.signingKeys(c)
	top := keys[0]
	for _, key := range keys {
		if key.priority() > top.priority() {
			top = key
		}
	}
	for _, key := range keys {
		if key.ID != top.ID {
			k.call("DELETE", "/realms/"+c.slug+"/components/"+cmp.Or(key.ID, "?"), nil, nil)
		}
	}
}
