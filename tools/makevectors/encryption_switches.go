package main

import "strings"

// cbcVectors: with Config.RefuseCBC, a ciphertext of AES-CBC must be in a signed Response.
func cbcVectors() []vector {
	policy := header{"policy": "refuse_cbc"}
	accepted := func(name, from, why string) vector {
		return vector{name: "encrypted-cbc-refused-" + name, from: from, header: policy, why: why}
	}
	refused := func(name, from, why string) vector {
		return vector{name: "p38-cbc-" + name, from: from, header: policy, expect: "cbc_refused", why: why}
	}
	tookOff := refused("signature-taken-off", "encrypted-cbc-refused-both-signed",
		"The policy refuses AES-CBC, and an attacker took the signature of the Response off, as if it had been signed inside alone.")
	tookOff.after = withoutFirstSignature
	signedAround := accepted("name-id-signed", "both-signed",
		"The policy refuses AES-CBC, and the Response is signed around an assertion with an encrypted NameID.")
	signedAround.change = encryptedNameID(encryption{})
	signedAround.header = header{"policy": "refuse_cbc", "decryption_keys": keyFile(spA)}
	return []vector{
		accepted("gcm", "encrypted-aes256-gcm", "The policy refuses AES-CBC, and this is AES-GCM."),
		accepted("gcm-128", "encrypted-aes128-gcm", "The policy refuses AES-CBC, and this is AES-GCM with 128 bits."),
		accepted("gcm-192", "encrypted-aes192-gcm", "The policy refuses AES-CBC, and this is AES-GCM with 192 bits."),
		accepted("name-id-gcm", "encrypted-name-id-gcm", "The policy refuses AES-CBC, and the NameID is in AES-GCM."),
		accepted("signed", "encrypted-response-signed",
			"The policy refuses AES-CBC, and the Response is signed around the ciphertext."),
		accepted("both-signed", "encrypted-both-signed",
			"The policy refuses AES-CBC, and the Response is signed around an assertion that is signed too."),
		signedAround,
		refused("192", "encrypted-aes192-cbc", "The policy refuses AES-CBC, and what is encrypted is signed inside alone."),
		refused("128", "encrypted-aes128-cbc", "The policy refuses AES-CBC, with 128 bits too."),
		refused("name-id", "encrypted-name-id",
			"The policy refuses AES-CBC, and the assertion around the encrypted NameID is signed, but not the Response."),
		tookOff,
	}
}

// onlyAlgorithmVectors: with Config.OnlyAlgorithms, content and content key are encrypted by an
// algorithm of the list.
func onlyAlgorithmVectors() []vector {
	const accepted = "encrypted-only-these-algorithms"
	only := func(uris ...string) header { return header{"policy": "only=" + strings.Join(uris, " only=")} }
	return []vector{
		{name: accepted, from: "encrypted-aes256-gcm", header: only(nsXEnc+"aes256-cbc", aes256GCM, oaepMGF1P),
			why: "The policy names the algorithms that are accepted, and these are."},
		{name: "p38-not-of-these-contents", from: accepted, expect: "decryption",
			header: only(nsXEnc+"aes256-cbc", nsXEnc11+"aes128-gcm", oaepMGF1P),
			why:    "The content is encrypted with AES-256-GCM, and the policy accepts others alone."},
		{name: "p38-not-of-these-transports", from: accepted, expect: "decryption", header: only(aes256GCM, oaep),
			why: "The content key is encrypted with RSA-OAEP under its older name, and the policy accepts the newer one alone."},
	}
}
