package xmltree_test

import (
	"fmt"
	"math/rand/v2"
	"strings"
)

// A generator writes random well-formed documents that are hard to canonicalize: few prefixes and
// few namespaces, so that they are re-declared, shadowed and shared all the time, and every way to
// write a character.
type generator struct {
	r     *rand.Rand
	b     strings.Builder
	scope []map[string]string // prefix to namespace, innermost last
	left  int                 // elements that may still be written, beside those that are owed to the depth
	mark  bool                // the next element at full depth is named "signed" and holds signatureMark
}

const signatureMark = "<signature/>"

var (
	somePrefixes = []string{"", "a", "b", "c", "B", "a-1", "\u00e9", "_"}
	someSpaces   = []string{"urn:a", "urn:b", "urn:A", "http://c.example/", "urn:a:b", "urn:it's"}
	someNames    = []string{"e", "f", "E", "e.1", "\u00e9l", "xmlns", "a"}
	someAttrs    = []string{"a", "b", "B", "id", "\u00e9", "a-", "lang", "zz"}
	xmlAttrs     = []string{"lang", "space", "lang", "space", "base", "a", "B", "\u00e9"} // an xml:id would have to be a name
	noSpaces     = []string{" ", "\n", "\t", "\r\n", "  "}
	someText     = []string{
		"x", "text ", "\u00e9", "\U0001F600", "\u0085", "\u2028", "\u00a0", "\ufeff", "\x7f",
		"'", "]]", "]", "=", "%20", " ", "\t", "\n", "\r", "\r\n", "\r\r\n",
		"&amp;", "&lt;", "&gt;", "&quot;", "&apos;", "&#9;", "&#10;", "&#13;", "&#xD;", "&#xA;", "&#32;",
		"&#xe9;", "&#x1F600;", "&#00065;", "&#38;", "&#60;", "&#62;", "&#34;", "&#39;",
	}
)

func newGenerator(seed uint64) *generator {
	return &generator{r: rand.New(rand.NewPCG(seed, seed+1))}
}

func pick[T any](g *generator, list []T) T { return list[g.r.IntN(len(list))] }

func (g *generator) chance(percent int) bool { return g.r.IntN(100) < percent }

// document returns a document with an element that has at least depth ancestors.
func (g *generator) document(depth int) string {
	g.b.Reset()
	g.scope = []map[string]string{{"": "", "xml": "http://www.w3.org/XML/1998/namespace"}}
	g.left = 4 + g.r.IntN(16)
	if g.chance(20) {
		g.b.WriteString("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\r\n")
	}
	g.element(depth)
	if g.chance(20) {
		g.b.WriteString("\n")
	}
	return g.b.String()
}

// element writes an element with at least depth levels below it.
func (g *generator) element(depth int) {
	scope := map[string]string{}
	for prefix, space := range g.scope[len(g.scope)-1] {
		scope[prefix] = space
	}
	items := g.declarations(scope)
	g.scope = append(g.scope, scope)
	defer func() { g.scope = g.scope[:len(g.scope)-1] }()

	name := g.qualify(g.visible(), pick(g, someNames))
	items = append(items, g.attributes()...)
	marked := g.mark && depth <= 0
	if marked {
		g.mark = false
		name = g.qualify(g.visible(), "signed")
		items = append(items, `ID="it"`)
	}
	g.r.Shuffle(len(items), func(i, j int) { items[i], items[j] = items[j], items[i] })
	g.b.WriteString("<" + name)
	for _, item := range items {
		g.b.WriteString(pick(g, noSpaces) + item)
	}
	if g.chance(20) {
		g.b.WriteString(pick(g, noSpaces))
	}
	if depth <= 0 && !marked && g.chance(40) {
		g.b.WriteString("/>")
		return
	}
	g.b.WriteString(">")
	if marked {
		g.content(1)
		g.b.WriteString(signatureMark)
	}
	g.content(depth)
	g.b.WriteString("</" + name)
	if g.chance(10) {
		g.b.WriteString(pick(g, noSpaces))
	}
	g.b.WriteString(">")
}

// declarations returns some namespace declarations and adds them to scope.
func (g *generator) declarations(scope map[string]string) (items []string) {
	declared := map[string]bool{}
	for range g.r.IntN(4) {
		prefix, space := pick(g, somePrefixes), pick(g, someSpaces)
		switch {
		case declared[prefix]:
			continue
		case prefix == "" && g.chance(35):
			space = ""
		case g.chance(20) && scope[prefix] != "":
			space = scope[prefix] // once more what holds anyway
		}
		declared[prefix] = true
		scope[prefix] = space
		name := "xmlns"
		if prefix != "" {
			name += ":" + prefix
		}
		if strings.Contains(space, "'") {
			items = append(items, name+`="`+space+`"`)
		} else {
			items = append(items, name+g.equals()+g.quote(space))
		}
	}
	return items
}

// visible returns the prefixes in scope, in an order that does not depend on the map.
func (g *generator) visible() (prefixes []string) {
	scope := g.scope[len(g.scope)-1]
	for _, p := range somePrefixes {
		if _, ok := scope[p]; ok {
			prefixes = append(prefixes, p)
		}
	}
	return prefixes
}

func (g *generator) qualify(prefixes []string, local string) string {
	if prefix := pick(g, prefixes); prefix != "" {
		return prefix + ":" + local
	}
	return local
}

func (g *generator) attributes() (items []string) {
	scope := g.scope[len(g.scope)-1]
	have := map[string]bool{}
	for range g.r.IntN(6) {
		name := g.qualify(append(g.visible(), "", "xml"), pick(g, someAttrs))
		prefix, local, prefixed := strings.Cut(name, ":")
		space := ""
		if prefix == "xml" && prefixed {
			local = pick(g, xmlAttrs)
			name = "xml:" + local
		}
		if prefixed {
			space = scope[prefix]
		} else {
			local = name
		}
		if have[space+" "+local] {
			continue
		}
		have[space+" "+local] = true
		value := g.characters(4)
		if name == "xml:base" {
			value = "b" + value // libxml2 leaves an empty one out where Canonical XML 1.1 keeps it
		}
		items = append(items, name+g.equals()+g.quote(value))
	}
	return items
}

func (g *generator) equals() string {
	if g.chance(85) {
		return "="
	}
	return pick(g, noSpaces) + "=" + pick(g, noSpaces)
}

// quote puts a value into quotes of either kind, and the other kind inside.
func (g *generator) quote(value string) string {
	if g.chance(50) {
		if value != "" && g.chance(20) && !strings.HasPrefix(value, "urn:") && !strings.HasPrefix(value, "http:") {
			value += `"`
		}
		return "'" + strings.ReplaceAll(value, "'", "&apos;") + "'"
	}
	return `"` + value + `"`
}

func (g *generator) characters(most int) string {
	var b strings.Builder
	for range g.r.IntN(most + 1) {
		b.WriteString(pick(g, someText))
	}
	return b.String()
}

func (g *generator) content(depth int) {
	owed := depth > 0 // one child goes down as far as was asked
	for range g.r.IntN(6) {
		switch g.r.IntN(5) {
		case 0, 1:
			g.b.WriteString(g.characters(5))
		case 2:
			content := pick(g, []string{"", "&amp;", "<a>", "]]", "]>", "\r\n", "\r", "\u00e9", "\"'"})
			g.b.WriteString("<![CDATA[" + content + "]]>")
		case 3:
			if g.left > 0 && len(g.scope) < 14 {
				g.left--
				g.element(depth - 1 - g.r.IntN(2))
			}
		case 4:
			if owed {
				owed = false
				g.element(depth - 1)
			}
		}
	}
	if owed {
		g.element(depth - 1)
	}
}

// prefixList returns names for a PrefixList: prefixes that the document may have, "#default", names
// that nobody declares.
func (g *generator) prefixList() (names []string) {
	pool := append([]string{"#default", "xml", "nobody", "urn"}, somePrefixes[1:]...)
	g.r.Shuffle(len(pool), func(i, j int) { pool[i], pool[j] = pool[j], pool[i] })
	names = pool[:1+g.r.IntN(5)]
	if g.chance(10) {
		names = append(names, names[0]) // twice
	}
	return names
}

// entraResponse is a response in the shape that Microsoft Entra ID sends, its assertion signed,
// with this many groups. The values are made up and the signature is none.
func entraResponse(groups int) []byte {
	const (
		tenant = "3f2504e0-4f89-41d3-9a0c-0305e82c3301"
		issuer = "https://sts.windows.net/" + tenant + "/"
		acs    = "https://console.example.com/api/v1/identity/auth/saml-acs"
		claims = "http://schemas.xmlsoap.org/ws/2005/05/identity/claims/"
		ms     = "http://schemas.microsoft.com/"
	)
	var b strings.Builder
	b.WriteString(`<samlp:Response ID="_8e8dc5f6-9a98-4c1f-8c58-24dd4dd0d1a6" Version="2.0" ` +
		`IssueInstant="2025-06-01T10:00:00.123Z" Destination="` + acs +
		`" InResponseTo="_4fee3b046395c4e751011e97f8900b52" xmlns:samlp="urn:oasis:names:tc:SAML:2.0:protocol">` +
		`<Issuer xmlns="urn:oasis:names:tc:SAML:2.0:assertion">` + issuer + `</Issuer>` +
		`<samlp:Status><samlp:StatusCode Value="urn:oasis:names:tc:SAML:2.0:status:Success"/></samlp:Status>` +
		`<Assertion ID="_a75adf55-01d7-40cc-929f-dbd8372ebdfc" IssueInstant="2025-06-01T10:00:00.119Z" ` +
		`Version="2.0" xmlns="urn:oasis:names:tc:SAML:2.0:assertion">` +
		`<Issuer>` + issuer + `</Issuer>` +
		`<Signature xmlns="http://www.w3.org/2000/09/xmldsig#"><SignedInfo>` +
		`<CanonicalizationMethod Algorithm="http://www.w3.org/2001/10/xml-exc-c14n#"/>` +
		`<SignatureMethod Algorithm="http://www.w3.org/2001/04/xmldsig-more#rsa-sha256"/>` +
		`<Reference URI="#_a75adf55-01d7-40cc-929f-dbd8372ebdfc"><Transforms>` +
		`<Transform Algorithm="http://www.w3.org/2000/09/xmldsig#enveloped-signature"/>` +
		`<Transform Algorithm="http://www.w3.org/2001/10/xml-exc-c14n#"/></Transforms>` +
		`<DigestMethod Algorithm="http://www.w3.org/2001/04/xmlenc#sha256"/>` +
		`<DigestValue>` + strings.Repeat("A", 43) + `=</DigestValue>` +
		`</Reference></SignedInfo><SignatureValue>` + strings.Repeat("B", 342) + `==</SignatureValue>` +
		`<KeyInfo><X509Data><X509Certificate>` + strings.Repeat("C", 1052) +
		`</X509Certificate></X509Data></KeyInfo></Signature>` +
		`<Subject><NameID Format="urn:oasis:names:tc:SAML:1.1:nameid-format:emailAddress">alex@example.com</NameID>` +
		`<SubjectConfirmation Method="urn:oasis:names:tc:SAML:2.0:cm:bearer"><SubjectConfirmationData ` +
		`InResponseTo="_4fee3b046395c4e751011e97f8900b52" NotOnOrAfter="2025-06-01T11:00:00.017Z" ` +
		`Recipient="` + acs + `"/></SubjectConfirmation></Subject>` +
		`<Conditions NotBefore="2025-06-01T09:55:00.017Z" NotOnOrAfter="2025-06-01T11:00:00.017Z">` +
		`<AudienceRestriction><Audience>` + acs +
		`</Audience></AudienceRestriction></Conditions><AttributeStatement>`)
	for _, a := range [][2]string{
		{ms + "identity/claims/tenantid", tenant},
		{ms + "identity/claims/objectidentifier", "9f4880d8-80ba-4c40-97bc-f7a23c703084"},
		{ms + "identity/claims/displayname", "Alex Example"},
		{ms + "identity/claims/identityprovider", issuer},
		{ms + "claims/authnmethodsreferences", ms + "ws/2008/06/identity/authenticationmethod/password"},
		{claims + "givenname", "Alex"},
		{claims + "surname", "Example"},
		{claims + "emailaddress", "alex@example.com"},
		{claims + "name", "alex@example.com"},
	} {
		fmt.Fprintf(&b, `<Attribute Name="%s"><AttributeValue>%s</AttributeValue></Attribute>`, a[0], a[1])
	}
	if groups > 0 {
		b.WriteString(`<Attribute Name="` + ms + `ws/2008/06/identity/claims/groups">`)
		for i := range groups {
			fmt.Fprintf(&b, `<AttributeValue>%08x-5a3b-4b1c-9d2e-%012x</AttributeValue>`, uint32(i)*2654435761, i)
		}
		b.WriteString(`</Attribute>`)
	}
	b.WriteString(`</AttributeStatement>` +
		`<AuthnStatement AuthnInstant="2025-06-01T09:59:58.300Z" SessionIndex="_a75adf55-01d7-40cc-929f-dbd8372ebdfc">` +
		`<AuthnContext><AuthnContextClassRef>urn:oasis:names:tc:SAML:2.0:ac:classes:Password</AuthnContextClassRef>` +
		`</AuthnContext></AuthnStatement></Assertion></samlp:Response>`)
	return []byte(b.String())
}
