//go:build idp

package idp

import (
	"encoding/xml"
	"slices"
	"strings"
)

// sent describes how the last response among messages is protected, so that a row cannot pass with
// another message than its name says: what is signed or encrypted, each with its algorithms, such
// as "Response:rsa-sha256, EncryptedAssertion:aes128-cbc/rsa-oaep-mgf1p". A digest method is named
// where it is not of the signature's hash, a canonicalization where it is not exclusive, the hash
// of OAEP where it is named. "nothing signed" is a response without either. Signatures inside what
// is encrypted cannot be seen.
func sent(messages []string) string {
	document := ""
	for _, m := range messages {
		if text, ok := strings.CutPrefix(m, "SAMLResponse: "); ok {
			document = text
		}
	}
	if document == "" {
		return "no response"
	}
	var path, shown []string
	algorithms := map[string]string{} // of the Signature or the encryption that is being read
	d := xml.NewDecoder(strings.NewReader(document))
	for {
		token, err := d.Token()
		if err != nil {
			break
		}
		switch e := token.(type) {
		case xml.StartElement:
			path = append(path, e.Name.Local)
			for _, a := range e.Attr {
				if a.Name.Local == "Algorithm" {
					_, name, named := strings.Cut(a.Value, "#")
					if !named || name == "" || name == "WithComments" {
						name = a.Value[strings.LastIndex(strings.TrimRight(a.Value, "#"), "/")+1:]
					}
					key := e.Name.Local
					if key == "EncryptionMethod" {
						key = path[len(path)-2]
					}
					algorithms[key] = name
				}
			}
		case xml.EndElement:
			parent := ""
			if len(path) > 1 {
				parent = path[len(path)-2]
			}
			switch e.Name.Local {
			case "Signature":
				shown = append(shown, parent+":"+signature(algorithms))
				clear(algorithms)
			case "EncryptedAssertion", "EncryptedID":
				name := e.Name.Local + ":" + algorithms["EncryptedData"] + "/" + algorithms["EncryptedKey"]
				if hash := algorithms["DigestMethod"]; hash != "" {
					name += "/" + hash
				}
				shown = append(shown, name)
				clear(algorithms)
			}
			path = path[:len(path)-1]
		}
	}
	if len(shown) == 0 {
		return "nothing signed"
	}
	slices.SortStableFunc(shown, func(a, b string) int { return strings.Compare(order(a), order(b)) })
	return strings.Join(shown, ", ")
}

func signature(algorithms map[string]string) string {
	name := algorithms["SignatureMethod"]
	if hash := algorithms["DigestMethod"]; !strings.HasPrefix(strings.TrimPrefix(name, "rsa-"), hash) {
		name += "/" + hash
	}
	if c := algorithms["CanonicalizationMethod"]; c != "xml-exc-c14n#" {
		name += "/" + c
	}
	return name
}

// order puts the Response first.
func order(shown string) string {
	if strings.HasPrefix(shown, "Response:") {
		return ""
	}
	return shown
}
