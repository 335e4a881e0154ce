package saml

import (
	"slices"
	"strings"
	"time"

	"github.com/iomete/saml/internal/dsig"
	"github.com/iomete/saml/internal/wire"
	"github.com/iomete/saml/internal/xmlenc"
	"github.com/iomete/saml/internal/xmltree"
)

// attributeScan is up to how many attributes are searched one by one for a name that appears again;
// beyond that a map is faster.
const attributeScan = 32

// sharedValues is up to how many values of an attribute lie in one piece of memory with those of other
// attributes. More of them have a list of their own, which an Identity can take over as it is.
const sharedValues = 8

// decodeAssertion reads the one assertion from the bytes that were signed. It leaves all decisions
// to the checks. White space around names that carries nothing is left out here, once, so that
// checks, account keys and sessions see the same value: around Issuer and Audience, around the
// NameQualifier of a NameID, and around a NameID that must be an e-mail address (nameID).
func decodeAssertion(signed dsig.Signed, secret *xmlenc.Keys, nameID NameIDPolicy) (*Assertion, *Error) {
	doc, err := signed.Parse()
	if err != nil {
		return nil, fromFault(err)
	}
	a, refusal := decodeSigned(doc.Root(), secret, nameID)
	doc.Release() // a and refusal hold strings of the signed bytes, and no Element
	return a, refusal
}

// decodeSigned is decodeAssertion for the root of what was signed.
func decodeSigned(root xmltree.Element, secret *xmlenc.Keys, nameID NameIDPolicy) (*Assertion, *Error) {
	if root.Is(xmltree.NSProtocol, "Response") {
		for c := range root.Children() {
			if c.Is(xmltree.NSAssertion, "Assertion") {
				root = c
			}
		}
	}
	if !root.Is(xmltree.NSAssertion, "Assertion") {
		return nil, refuse(CodeAssertionCount, "there is no assertion in what was signed", root.Local(), "")
	}
	if err := wire.CheckAssertion(root); err != nil {
		return nil, fromFault(err)
	}
	d := decoder{a: &Assertion{}, secret: secret, trimNameID: nameID == EmailNameID}
	d.assertion(root)
	if d.failed != nil {
		return nil, fromFault(d.failed)
	}
	return d.a, nil
}

type decoder struct {
	a      *Assertion
	failed error // the subject's EncryptedID could not be decrypted

	secret     *xmlenc.Keys
	trimNameID bool

	index  map[string]int // attribute name -> place in a.Attributes, built when there are many
	values []string       // room for the values of the AttributeStatement being read; see sharedValues
}

func (d *decoder) assertion(e xmltree.Element) {
	a := d.a
	a.ID, _ = e.Attr("ID")
	a.Version, _ = e.Attr("Version")
	a.IssueInstant, _ = d.time(e, "IssueInstant")
	for c := range e.Children() {
		if c.Space() != xmltree.NSAssertion {
			continue
		}
		switch c.Local() {
		case "Issuer":
			a.Issuer = decodeIssuer(c)
		case "Subject":
			d.subject(c)
		case "Conditions":
			d.conditions(c)
		case "AuthnStatement":
			d.authnStatement(c)
		case "AttributeStatement":
			d.attributeStatement(c)
		}
	}
}

func decodeIssuer(e xmltree.Element) (i Issuer) {
	text, _ := e.Text()
	i.Value = trimSpace(text)
	i.Format, i.hasFormat = e.Attr("Format")
	return i
}

func (d *decoder) subject(e xmltree.Element) {
	for c := range e.Children() {
		switch c.Local() {
		case "NameID":
			d.nameID(c)
		case "EncryptedID":
			d.encryptedID(c)
		case "SubjectConfirmation":
			d.confirmation(c)
		}
	}
}

func (d *decoder) nameID(e xmltree.Element) {
	d.a.nameIDs++
	n := &d.a.NameID
	n.sent, _ = e.Text()
	if n.Value = n.sent; d.trimNameID {
		n.Value = trimSpace(n.sent)
	}
	n.Format, _ = e.Attr("Format")
	qualifier, _ := e.Attr("NameQualifier")
	n.NameQualifier = trimSpace(qualifier)
	n.SPNameQualifier, n.hasSPNameQualifier = e.Attr("SPNameQualifier")
}

// encryptedID reads what is encrypted in a saml:EncryptedID (SAML Core 2.0 §2.2.4). It was signed
// as ciphertext.
func (d *decoder) encryptedID(e xmltree.Element) {
	d.a.encryptedID = d.secret.None()
	if d.a.encryptedID {
		return
	}
	plaintext, err := xmlenc.Decrypt(e, d.secret)
	if err != nil {
		d.failed = err
		return
	}
	var nameID xmltree.Element
	if nameID, d.failed = wire.DecryptedElement(plaintext, e); d.failed != nil {
		return
	}
	if _, ok := nameID.Text(); !ok || !nameID.Is(xmltree.NSAssertion, "NameID") {
		d.failed = xmlenc.Failed()
		return
	}
	d.nameID(nameID)
}

func (d *decoder) confirmation(e xmltree.Element) {
	var s SubjectConfirmation
	s.Method, _ = e.Attr("Method")
	for c := range e.Children() {
		if c.Local() == "SubjectConfirmationData" {
			s.hasData = true
			s.Recipient, _ = c.Attr("Recipient")
			s.InResponseTo, s.hasInResponseTo = c.Attr("InResponseTo")
			s.NotBefore, s.hasNotBefore = d.time(c, "NotBefore")
			s.NotOnOrAfter, _ = d.time(c, "NotOnOrAfter")
		}
	}
	d.a.Confirmations = append(d.a.Confirmations, s)
}

func (d *decoder) conditions(e xmltree.Element) {
	d.a.hasConditions = true
	c := &d.a.Conditions
	c.NotBefore, _ = d.time(e, "NotBefore")
	c.NotOnOrAfter, _ = d.time(e, "NotOnOrAfter")
	for condition := range e.Children() {
		switch condition.Local() {
		case "AudienceRestriction":
			var list []string
			for audience := range condition.Children() {
				text, _ := audience.Text()
				list = append(list, trimSpace(text))
			}
			c.Audiences = append(c.Audiences, list)
		case "OneTimeUse":
			c.OneTimeUse = true
		case "ProxyRestriction":
		default:
			c.unknown = condition.Local()
		}
	}
}

func (d *decoder) authnStatement(e xmltree.Element) {
	var s AuthnStatement
	s.AuthnInstant, _ = d.time(e, "AuthnInstant")
	s.SessionIndex, _ = e.Attr("SessionIndex")
	s.SessionNotOnOrAfter, _ = d.time(e, "SessionNotOnOrAfter")
	for c := range e.Children() {
		if c.Local() != "AuthnContext" {
			continue
		}
		for ref := range c.Children() {
			if ref.Local() == "AuthnContextClassRef" {
				s.ContextClass, _ = ref.Text()
			}
		}
	}
	d.a.Statements = append(d.a.Statements, s)
}

func (d *decoder) attributeStatement(e xmltree.Element) {
	attributes, values := 0, 0
	for c := range e.Children() {
		attributes++
		if n := c.CountChildren(); n <= sharedValues {
			values += n
		}
	}
	d.a.Attributes = slices.Grow(d.a.Attributes, attributes)
	d.values = make([]string, 0, values)
	for c := range e.Children() {
		if c.Local() == "Attribute" { // not EncryptedAttribute: it cannot be read
			d.readAttribute(c)
		}
	}
}

func (d *decoder) readAttribute(e xmltree.Element) {
	name, _ := e.Attr("Name")
	if name == "" {
		d.bad("an attribute has no Name", "")
	}
	list, leftOut := &d.values, false
	if n := e.CountChildren(); n > sharedValues {
		own := make([]string, 0, n)
		list = &own
	}
	from := len(*list)
	for v := range e.Children() {
		if text, ok := d.attributeValue(name, v); ok {
			*list = append(*list, text)
		} else {
			leftOut = true
		}
	}
	values := (*list)[from:len(*list):len(*list)]
	into := d.attribute(name)
	into.leftOut = into.leftOut || leftOut
	if into.NameFormat == "" {
		into.NameFormat, _ = e.Attr("NameFormat")
	}
	if into.Values == nil {
		into.Values = values
	} else {
		into.Values = append(into.Values, values...)
	}
}

// attribute returns the attribute with this name: a new one, or one that gets more values.
func (d *decoder) attribute(name string) *Attribute {
	list := &d.a.Attributes
	if len(*list) > attributeScan && d.index == nil {
		d.index = make(map[string]int, 2*len(*list))
		for i := range *list {
			d.index[(*list)[i].Name] = i
		}
	}
	if d.index != nil {
		if i, ok := d.index[name]; ok {
			return &(*list)[i]
		}
		d.index[name] = len(*list)
	} else {
		for i := range *list {
			if (*list)[i].Name == name {
				return &(*list)[i]
			}
		}
	}
	*list = append(*list, Attribute{Name: name})
	return &(*list)[len(*list)-1]
}

// attributeValue returns the text of a value, or of the one saml:NameID in it. Other markup is
// ignored; elements of SAML or XML Signature in a value are a fault.
func (d *decoder) attributeValue(name string, v xmltree.Element) (string, bool) {
	if text, ok := v.Text(); ok {
		return text, true
	}
	var nameID xmltree.Element
	n := 0
	for c := range v.Descendants() {
		n++
		switch c.Space() {
		case xmltree.NSAssertion, xmltree.NSProtocol, xmltree.NSDSig:
			if c.Parent() == v && c.Is(xmltree.NSAssertion, "NameID") {
				nameID = c
				continue
			}
			d.bad("an attribute value holds an element that has no place there", name)
		}
	}
	if n == 1 && nameID.Exists() && v.OnlyElements() {
		return nameID.Text()
	}
	return "", false
}

func (d *decoder) bad(why, name string) {
	if d.a.badAttribute == "" {
		d.a.badAttribute, d.a.badAttributeAt = why, name
	}
}

// time reads an attribute. present is also true if the value is malformed, which badTimes
// remembers.
func (d *decoder) time(e xmltree.Element, name string) (t time.Time, present bool) {
	text, present := e.Attr(name)
	if !present {
		return t, false
	}
	t, ok := parseTime(text)
	if !ok {
		d.a.badTimes = append(d.a.badTimes, e.Local()+"/"+name+"="+text[:min(len(text), maxQuoted)])
	}
	return t, true
}

// parseTime reads an xs:dateTime with a time zone (XML Schema 1.0 Part 2 §3.2.7): Z or an offset of
// at most 14 hours; seconds with a fraction of any length; 24:00:00 is the midnight at the end of the
// day. SAML wants UTC (Core 2.0 §1.3.3), but an offset says exactly the same. The result is in UTC.
// time.Parse alone takes more: hours of one digit, a comma before the fraction, the year 0.
func parseTime(s string) (time.Time, bool) {
	const shape = "0000-00-00T00:00:00"
	const hour, minute = len("0000-00-00T"), len("0000-00-00T00")
	if len(s) <= len(shape) {
		return time.Time{}, false
	}
	for i := range len(shape) {
		if digit := '0' <= s[i] && s[i] <= '9'; digit != (shape[i] == '0') || !digit && s[i] != shape[i] {
			return time.Time{}, false
		}
	}
	zone, fraction := s[len(shape):], ""
	if zone[0] == '.' {
		digits := zone[1:]
		if zone = strings.TrimLeft(digits, "0123456789"); len(zone) == len(digits) {
			return time.Time{}, false
		}
		fraction = digits[:len(digits)-len(zone)]
	}
	if !isZone(zone) {
		return time.Time{}, false
	}
	endOfDay := s[hour:len(shape)] == "24:00:00" && strings.Trim(fraction, "0") == ""
	if endOfDay {
		s = s[:hour] + "00" + s[minute:]
	}
	t, err := time.Parse(time.RFC3339, s)
	if err != nil || t.Year() == 0 {
		return time.Time{}, false
	}
	if t = t.UTC(); endOfDay {
		t = t.Add(24 * time.Hour)
	}
	// The first moment of the year 1 is what some write for "never", and means absence here. Years
	// of more than four digits cannot be written as they are read.
	if t.IsZero() || t.Year() < 1 || t.Year() > 9999 {
		return time.Time{}, false
	}
	return t, true
}

// isZone reports whether s is the time zone of an xs:dateTime: Z, or an offset from -14:00 to +14:00.
func isZone(s string) bool {
	if s == "Z" {
		return true
	}
	if len(s) != len("+00:00") || s[0] != '+' && s[0] != '-' {
		return false
	}
	at, err := time.Parse("15:04", s[1:])
	return err == nil && (at.Hour() < 14 || s[1:] == "14:00")
}
