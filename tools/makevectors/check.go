package main

import "strings"

// checkVectors break the rules of the assertion, each under a good signature.
func checkVectors() []vector {
	var list []vector
	for _, part := range [][]vector{assertionVectors(), conditionVectors(), audienceVectors(),
		otherConditionVectors(), confirmationVectors(), destinationVectors(),
		requestVectors(), unsolicitedVectors(), onceVectors(), statementVectors(), contextVectors(), timeVectors(), nameIDVectors(), emailVectors(),
		qualifierVectors(), attributeVectors()} {
		list = append(list, part...)
	}
	return list
}

// A family makes vectors that share the vector they are made from, the check and the code.
func family(from, check, expect string) func(name string, change edit, why string) vector {
	return func(name string, change edit, why string) vector {
		return vector{name: name, from: from, expect: expect, check: check, change: change, why: why}
	}
}

func assertionVectors() []vector {
	start := `<Assertion ID="` + assertionID + `" IssueInstant="` + assertionIssued + `" Version="2.0"`
	issuerElement := `<Issuer>` + idpEntityID + `</Issuer>`
	version := family("entra", "version", "version")
	id := family("response-signed", "id", "id_invalid")
	issuer := family("entra", "issuer", "assertion_issuer")
	instant := family("entra", "issue instant", "issue_instant")
	age := family("day-old", "age", "too_old")
	return []vector{
		version("c41-version-1.1", swap(start, strings.Replace(start, "2.0", "1.1", 1)),
			"The Assertion is of another version than its Response."),
		version("c41-version-missing", swap(start, strings.TrimSuffix(start, ` Version="2.0"`)),
			"The Assertion has no Version."),
		version("c41-version-2", swap(start, strings.Replace(start, "2.0", "2", 1)), "2 is not 2.0."),
		version("c41-version-2.1", swap(start, strings.Replace(start, "2.0", "2.1", 1)),
			"The Assertion is of a version that does not exist."),
		id("c41-id-missing", cut(` ID="`+assertionID+`"`), "The Assertion has no ID, so its use cannot be remembered."),
		id("c41-id-empty", swap(` ID="`+assertionID+`"`, ` ID=""`), "The ID of the Assertion is empty."),
		id("c41-id-percent", swap(` ID="`+assertionID+`"`, ` ID="%5F`+assertionID[1:]+`"`),
			"A percent sign in the ID: readers of URIs make another ID of it."),
		id("c41-id-hash", swap(` ID="`+assertionID+`"`, ` ID="#`+assertionID+`"`),
			"The ID begins with a number sign."),
		id("c41-id-apostrophe", swap(` ID="`+assertionID+`"`, ` ID="`+assertionID+`'"`),
			"An apostrophe in the ID, which ends a text in an XPointer."),
		id("c41-id-bracket", swap(` ID="`+assertionID+`"`, ` ID="xpointer(`+assertionID+`)"`),
			"Brackets in the ID: it reads like an XPointer."),
		id("c41-id-not-ascii", swap(` ID="`+assertionID+`"`, ` ID="é`+assertionID+`"`),
			"A letter beyond ASCII in the ID."),
		id("c41-id-257", swap(` ID="`+assertionID+`"`, ` ID="`+strings.Repeat("a", 257)+`"`),
			"An ID of one character more than is allowed."),
		id("c41-id-blank", swap(` ID="`+assertionID+`"`, ` ID="`+assertionID+` "`),
			"A blank behind the ID makes another ID of it."),
		issuer("c41-issuer-other", swap(issuerElement, `<Issuer>`+otherIDP+`</Issuer>`),
			"The Assertion was issued by another identity provider, though our key signed."),
		issuer("c41-issuer-no-slash",
			swap(issuerElement, `<Issuer>`+strings.TrimSuffix(idpEntityID,
				"/")+`</Issuer>`), "The final slash is missing: entity IDs are compared byte for byte."),
		issuer("c41-issuer-other-case",
			swap(issuerElement, strings.Replace(issuerElement, "https://sts", "https://STS",
				1)), "Entity IDs are compared with their case."),
		issuer("c41-issuer-longer", swap(issuerElement, `<Issuer>`+idpEntityID+`more</Issuer>`),
			"The Issuer begins with the entity ID."),
		issuer("c41-issuer-no-break-space", swap(issuerElement, "<Issuer>\u00A0"+idpEntityID+"</Issuer>"),
			"A no-break space before the entity ID is no white space of XML."),
		issuer("c41-issuer-line-separator", swap(issuerElement, "<Issuer>"+idpEntityID+"\u2028</Issuer>"),
			"A line separator of Unicode behind the entity ID is no white space of XML."),
		issuer("c41-issuer-empty", swap(issuerElement, "<Issuer> </Issuer>"),
			"There is nothing but white space in the Issuer."),
		{name: "c41-issuer-blank-inside", from: "issuer-white-space", expect: "assertion_issuer", check: "issuer",
			change: swap(tenantID+"/ \t</Issuer>", tenantID+" /\t</Issuer>"),
			why:    "A blank inside the entity ID."},
		issuer("c41-issuer-format", swap(issuerElement, `<Issuer Format="`+emailFormat+`">`+idpEntityID+`</Issuer>`),
			"The Format of an Issuer is entity or absent."),
		issuer("c41-issuer-format-empty", swap(issuerElement, `<Issuer Format="">`+idpEntityID+`</Issuer>`),
			"An empty Format is not an absent one."),
		instant("c41-issue-instant-future", swap(assertionIssued, beyondSkew),
			"The Assertion was issued in the future, just beyond the skew of three minutes."),
		instant("c41-issue-instant-far-future", swap(assertionIssued, "2126-03-10T09:29:58Z"),
			"The Assertion was issued a hundred years from now."),
		instant("c41-issue-instant-missing", cut(` IssueInstant="`+assertionIssued+`"`),
			"The Assertion has no IssueInstant."),
		age("c41-too-old", swap(`IssueInstant="`+notQuiteADay, `IssueInstant="`+moreThanADay),
			"The Assertion was issued 24 hours and three minutes ago, though its conditions still hold."),
		age("c41-years-old", swap(`IssueInstant="`+notQuiteADay, `IssueInstant="2016-03-10T09:29:58Z`),
			"The Assertion was issued ten years ago, though its conditions still hold."),
	}
}

func conditionVectors() []vector {
	begin := family("entra", "not before", "not_yet_valid")
	window := family("entra", "not before", "conditions")
	end := family("entra", "not on or after", "expired")
	return []vector{
		{name: "c42-no-conditions", from: "entra", expect: "conditions", check: "conditions",
			change: cutElement("<Conditions ",
				"</Conditions>"), why: "The Assertion has no Conditions: it is for anybody, forever."},
		{name: "c42-two-conditions", from: "entra", expect: "schema",
			change: insertAfter("</Conditions>", "<Conditions/>"),
			why:    "The Assertion has Conditions twice, the second ones without any limit."},
		begin("c42-not-before-future", swap(notBefore, beyondSkew),
			"NotBefore has not come, just beyond the skew of three minutes."),
		begin("c42-not-before-tomorrow",
			all(swap(notBefore, "2026-03-11T09:30:00Z"),
				swap(notOnOrAfter, "2026-03-11T10:30:00Z")), "The Assertion is valid tomorrow."),
		window("c42-ends-before-it-begins", all(swap(notBefore, "2026-03-10T10:29:58.001Z"),
			swap(notOnOrAfter, "2026-03-10T09:29:58.001Z")), "NotOnOrAfter lies before NotBefore."),
		window("c42-ends-as-it-begins", all(swap(notBefore, now), swap(notOnOrAfter, now)),
			"NotOnOrAfter is NotBefore: there is no moment at which the Assertion is valid."),
		end("c42-expired", swap(notOnOrAfter, overForSkew),
			"NotOnOrAfter came three minutes ago, just beyond the skew."),
		end("c42-expired-long-ago",
			all(swap(notBefore, "2025-03-10T09:24:58Z"),
				swap(notOnOrAfter, "2025-03-10T10:29:58Z")), "NotOnOrAfter came a year ago."),
		{name: "c42-expired-offset", from: "offsets", expect: "expired", check: "not on or after",
			change: swap("2026-03-10T12:29:58+02:00", "2026-03-10T11:27:00+02:00"),
			why:    "NotOnOrAfter came three minutes ago: read without its offset, it would be in the future."},
		{name: "c42-not-before-offset", from: "offsets", expect: "not_yet_valid", check: "not before",
			change: swap("2026-03-10T03:54:58.5-05:30", "2026-03-10T04:03:00.001-05:30"),
			why:    "NotBefore has not come: read without its offset, it would be in the past."},
		{name: "c42-expired-hour-24", from: "hour-24", expect: "expired", check: "not on or after",
			change: all(swap("2026-03-10T24:00:00Z", "2026-03-09T24:00:00Z"), swap(notBefore, "2026-03-09T09:24:58Z")),
			why:    "The day at whose end the Assertion ended is yesterday."},
		{name: "c42-read-later", from: "ends-within-skew", expect: "expired", check: "not on or after",
			header: header{"at": "2026-03-10T09:30:00.001Z"},
			why:    "The message is read one millisecond too late."},
	}
}

func audienceVectors() []vector {
	const audience = "<Audience>" + redirectURL + "</Audience>"
	other := family("entra", "audience", "audience")
	to := func(name, value, why string) vector {
		return other(name, swap(audience, "<Audience>"+value+"</Audience>"), why)
	}
	return []vector{
		to("c43-other", "https://other.example.com/", "The Assertion is for another service."),
		to("c43-slash", redirectURL+"/", "A slash follows our entity ID: it is compared byte for byte."),
		to("c43-shorter", strings.TrimSuffix(redirectURL, "s"), "The audience is the beginning of our entity ID."),
		to("c43-other-case", strings.Replace(redirectURL, "console", "Console", 1),
			"Entity IDs are compared with their case."),
		to("c43-no-break-space", redirectURL+"\u00A0", "A no-break space behind our entity ID is no white space of XML."),
		to("c43-two-in-one", redirectURL+" "+redirectURL, "Our entity ID twice in one Audience: this is no list."),
		{name: "c43-blank-inside", from: "audience-white-space", expect: "audience", check: "audience",
			change: swap("saml-acs\n", "saml -acs\n"),
			why:    "A blank inside our entity ID."},
		to("c43-empty", "", "The audience is empty."),
		other("c43-none", cut("<AudienceRestriction>"+audience+"</AudienceRestriction>"),
			"There is no AudienceRestriction: the Assertion is for anybody."),
		other("c43-second-restriction",
			insertAfter("</AudienceRestriction>",
				"<AudienceRestriction><Audience>https://other.example.com/</Audience></AudienceRestriction>"),
			"A second AudienceRestriction does not name us: all of them have to."),
		other("c43-first-restriction",
			insertBefore("<AudienceRestriction>",
				"<AudienceRestriction><Audience>https://other.example.com/</Audience></AudienceRestriction>"),
			"The first AudienceRestriction does not name us: all of them have to."),
		other("c43-in-proxy-restriction", swap("<AudienceRestriction>"+audience+"</AudienceRestriction>",
			"<ProxyRestriction>"+audience+"</ProxyRestriction>"),
			"We are named in a ProxyRestriction only."),
		{name: "c43-entity-id-not-redirect-url", from: "entra", expect: "audience", check: "audience",
			header: header{"entity_id": "urn:example:console"},
			why:    "Our entity ID is not the Redirect URL, which is the audience."},
		{name: "c43-former-redirect-url", from: "former-redirect-url", expect: "audience", check: "audience",
			header: header{"former_entity_ids": "-"},
			why:    "The Audience is a Redirect URL of the past. That may still be the Recipient, but it is no entity ID of ours: another service may have that name by now."},
		{name: "c43-former-entity-id-gone", from: "former-entity-id", expect: "audience", check: "audience",
			header: header{"former_entity_ids": "-"},
			why:    "The Audience is an entity ID of the past that is no longer accepted."},
		{name: "c43-identity-provider", from: "entra", expect: "audience", check: "audience",
			change: swap(audience, "<Audience>"+idpEntityID+"</Audience>"),
			why:    "The Assertion is for the identity provider itself."},
	}
}

func otherConditionVectors() []vector {
	unknown := family("entra", "conditions", "conditions")
	const xsi = `xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance"`
	return []vector{
		unknown("c44-unknown-condition",
			insertAfter("</AudienceRestriction>",
				`<Condition xmlns:x="urn:example:x" `+xsi+` xsi:type="x:OnlyOnTuesday"/>`),
			"A condition that we do not know: it may not hold."),
		unknown("c44-condition-without-type", insertAfter("</AudienceRestriction>", `<Condition/>`),
			"A condition that says nothing."),
		unknown("c44-condition-first",
			insertBefore("<AudienceRestriction>",
				`<Condition xmlns:x="urn:example:x" `+xsi+` xsi:type="x:Delegation"><x:y/></Condition>`),
			"An unknown condition with content stands before the known ones."),
		{name: "c44-foreign-element", from: "entra", expect: "schema",
			change: insertAfter("</AudienceRestriction>", `<x:OnlyOnTuesday xmlns:x="urn:example:x"/>`),
			why:    "A foreign element in the Conditions."},
		{name: "c44-unknown-saml-element", from: "entra", expect: "schema",
			change: insertAfter("</AudienceRestriction>", `<DoNotCacheCondition/>`),
			why:    "The DoNotCacheCondition of SAML 1.1, which SAML 2.0 does not know."},
		{name: "c44-one-time-use-again", from: "one-time-use", expect: "replayed", check: "assertion once",
			header: header{"seen_before": "assertion"},
			why:    "An Assertion for one use is used a second time."},
	}
}

func confirmationVectors() []vector {
	const (
		check = "subject confirmation"
		data  = `<SubjectConfirmationData InResponseTo="` + requestID + `" NotOnOrAfter="` + deliverBefore +
			`" Recipient="` + redirectURL + `"/>`
	)
	form := family("entra", check, "subject_confirmation")
	recipient := family("entra", check, "recipient")
	answers := family("entra", check, "in_response_to")
	return []vector{
		form("c45-holder-of-key", swap("cm:bearer", "cm:holder-of-key"),
			"The subject is confirmed by a key, which a browser does not show."),
		form("c45-sender-vouches", swap("cm:bearer", "cm:sender-vouches"), "The method is not bearer."),
		form("c45-no-method", cut(` Method="urn:oasis:names:tc:SAML:2.0:cm:bearer"`),
			"The confirmation has no Method."),
		form("c45-no-confirmation", cutElement("<SubjectConfirmation ", "</SubjectConfirmation>"),
			"The Subject has no SubjectConfirmation."),
		form("c45-no-data", cut(data), "The confirmation has no SubjectConfirmationData."),
		form("c45-no-end", cut(` NotOnOrAfter="`+deliverBefore+`"`),
			"The SubjectConfirmationData has no NotOnOrAfter."),
		form("c45-not-before", swap(data, strings.Replace(data, " Recipient", ` NotBefore="`+notBefore+`" Recipient`,
			1)), "A bearer confirmation has no NotBefore (Profiles 4.1.4.2)."),
		recipient("c45-recipient-other", swap(`Recipient="`+redirectURL, `Recipient="https://other.example.com/acs`),
			"The Assertion was made for another URL: it was stolen there."),
		recipient("c45-recipient-slash", swap(`Recipient="`+redirectURL, `Recipient="`+redirectURL+`/`),
			"A slash follows the Redirect URL."),
		recipient("c45-recipient-query", swap(`Recipient="`+redirectURL, `Recipient="`+redirectURL+`?x=y`),
			"A query follows the Redirect URL."),
		recipient("c45-recipient-http", swap(`Recipient="https:`, `Recipient="http:`), "The Recipient is http."),
		recipient("c45-recipient-missing", cut(` Recipient="`+redirectURL+`"`), "There is no Recipient."),
		{name: "c45-recipient-in-two", from: "confirmations", expect: "recipient", check: check,
			change: swap(redirectURL+`"/></SubjectConfirmation></Subject>`,
				`https://third.example.com/"/></SubjectConfirmation></Subject>`),
			why: "There are two bearer confirmations, and neither is for us."},
		family("entra", check, "expired")("c45-over", swap(deliverBefore, overForSkew),
			"The time to deliver was over three minutes ago, just beyond the skew."),
		family("entra", check, "expired")("c45-over-long-ago", swap(deliverBefore, "2025-03-10T10:29:58Z"),
			"The time to deliver was over a year ago."),
		answers("c45-other-request", swap(data, strings.Replace(data, requestID, otherRequestID, 1)),
			"The confirmation answers another request, although the Response says ours: somebody else's Assertion."),
		answers("c45-no-request", swap(data, strings.Replace(data, ` InResponseTo="`+requestID+`"`, "", 1)),
			"The confirmation answers no request, although the Response says ours."),
		answers("c45-empty-request", swap(data, strings.Replace(data, requestID, "", 1)),
			"The confirmation answers an empty request."),
		{name: "c45-split-over-two", from: "confirmations", expect: "in_response_to", check: check,
			change: all(swap(data, strings.Replace(data, requestID, otherRequestID, 1)),
				swap(`<SubjectConfirmationData Recipient="https://other.example.com/acs"`,
					`<SubjectConfirmationData InResponseTo="`+requestID+`" Recipient="https://other.example.com/acs"`)),
			why: "One confirmation answers our request and is for another URL, the other is for us and answers another request: one has to fit in everything."},
	}
}

func destinationVectors() []vector {
	const destination = ` Destination="` + redirectURL + `"`
	to := func(name, from, value, why string) vector {
		return family(from, "destination", "destination")(name, swap(destination, ` Destination="`+value+`"`), why)
	}
	return []vector{
		to("c46-other", "entra", "https://other.example.com/acs", "The Response is addressed to another URL."),
		to("c46-other-signed", "response-signed", "https://other.example.com/acs",
			"The signed Response is addressed to another URL: it was stolen there."),
		family("response-signed", "destination", "destination")("c46-missing-signed", cut(destination),
			"A signed Response has no Destination."),
		family("both-signed", "destination", "destination")("c46-missing-both-signed", cut(destination),
			"A signed Response has no Destination, though its Assertion has a signature of its own."),
		to("c46-empty", "entra", "", "The Destination is empty."),
		to("c46-empty-signed", "response-signed", "", "The Destination of a signed Response is empty."),
		to("c46-http", "entra", strings.Replace(redirectURL, "https", "http", 1), "The Destination is http."),
		to("c46-other-path", "entra", strings.TrimSuffix(redirectURL, "/saml-acs"),
			"The Destination has another path."),
		to("c46-slash", "entra", redirectURL+"/", "A slash follows the Redirect URL."),
		to("c46-port", "entra", strings.Replace(redirectURL, ".com/", ".com:443/", 1),
			"The Destination is compared byte for byte, a needless port included."),
		{name: "c46-former-url-gone", from: "former-recipient", expect: "destination", check: "destination",
			header: header{"former_redirect_urls": "-"},
			why:    "The Destination is a Redirect URL of the past that is no longer accepted."},
	}
}

func requestVectors() []vector {
	const check, place = "response in response to", ` InResponseTo="` + requestID + `" xmlns`
	to := func(name, from, value, why string) vector {
		return family(from, check, "in_response_to")(name, swap(place, ` InResponseTo="`+value+`" xmlns`), why)
	}
	return []vector{
		to("c47-other-request", "entra", otherRequestID,
			"The Response answers another request, although the confirmation says ours."),
		to("c47-other-request-signed", "response-signed", otherRequestID,
			"The signed Response answers another request."),
		to("c47-empty", "entra", "", "The Response answers an empty request."),
		to("c47-blank", "entra", requestID+" ", "A blank behind the ID of our request."),
		{name: "c47-other-browser", from: "entra", expect: "in_response_to", check: check,
			header: header{"request_id": otherRequestID},
			why:    "The response answers a request of another browser: the sign-in was planted here."},
		{name: "c47-other-browser-unsaid", from: "no-in-response-to-in-response", expect: "in_response_to",
			check: "subject confirmation", header: header{"request_id": otherRequestID},
			why: "The response answers a request of another browser, and only the confirmation says so."},
		{name: "c47-answered-before", from: "entra", expect: "replayed", check: "request once",
			header: header{"seen_before": "request"},
			why:    "The request was answered before."},
		{name: "c47-store-fails", from: "entra", expect: "store", check: "request once",
			header: header{"store": "fails"},
			why:    "The record of answered requests cannot be read, so nobody knows."},
	}
}

func unsolicitedVectors() []vector {
	const check = "unsolicited"
	answers := family("unsolicited", check, "in_response_to")
	return []vector{
		{name: "c48-not-allowed", from: "unsolicited", expect: "unsolicited", check: "pending login",
			header: header{"policy": "-"},
			why:    "Nobody asked for this response, and the policy does not accept such."},
		{name: "c48-no-pending-login", from: "entra", expect: "unsolicited", check: "pending login",
			header: header{"request_id": "-", "unsolicited": "yes"},
			why:    "The response answers a request, but not one that this browser remembers."},
		answers("c48-response-answers",
			insertAfter(` Destination="`+redirectURL+`"`,
				` InResponseTo="`+otherRequestID+`"`), "The Response answers a request: it is a stolen answer."),
		answers("c48-confirmation-answers",
			swap(`Recipient="`+redirectURL+`"/>`,
				`Recipient="`+redirectURL+`" InResponseTo="`+otherRequestID+`"/>`), "The confirmation answers a request: it is a stolen answer."),
		answers("c48-response-answers-empty", insertAfter(` Destination="`+redirectURL+`"`, ` InResponseTo=""`),
			"An empty InResponseTo is not an absent one."),
		answers("c48-confirmation-answers-empty",
			swap(`Recipient="`+redirectURL+`"/>`,
				`Recipient="`+redirectURL+`" InResponseTo=""/>`), "An empty InResponseTo in the confirmation is not an absent one."),
		answers("c48-other-confirmation-answers",
			insertBefore("<SubjectConfirmation ",
				`<SubjectConfirmation Method="urn:oasis:names:tc:SAML:2.0:cm:bearer"><SubjectConfirmationData InResponseTo="`+otherRequestID+`"/></SubjectConfirmation>`),
			"Another confirmation than the one that fits answers a request."),
	}
}

func onceVectors() []vector {
	seen := func(name, from, why string) vector {
		return vector{name: name, from: from, expect: "replayed", check: "assertion once",
			header: header{"seen_before": "assertion"}, why: why}
	}
	return []vector{
		seen("c49-seen-before", "entra", "The Assertion was consumed before."),
		seen("c49-seen-before-response-signed", "response-signed",
			"The Assertion under the signature of the Response was consumed before."),
		seen("c49-seen-before-unsolicited", "unsolicited",
			"The Assertion was consumed before, and no request stands in the way."),
		{name: "c49-store-fails", from: "unsolicited", expect: "store", check: "assertion once",
			header: header{"store": "fails"},
			why:    "The record of consumed assertions cannot be read, so nobody knows."},
	}
}

func statementVectors() []vector {
	instant := family("entra", "authn instant", "authn_instant")
	session := family("session-end", "session", "session_expired")
	noStatement := cutElement("<AuthnStatement ", "</AuthnStatement>")
	const end = "2026-03-10T17:29:55Z"
	second := func(instant, end string) string {
		return `<AuthnStatement AuthnInstant="` + instant + `"` + end + `><AuthnContext><AuthnContextClassRef>` +
			passwordContext + `</AuthnContextClassRef></AuthnContext></AuthnStatement>`
	}
	return []vector{
		family("entra", "authn statement", "authn_statement_missing")("c50-no-statement", noStatement,
			"The Assertion does not say that the user signed in."),
		family("response-signed", "authn statement", "authn_statement_missing")("c50-no-statement-response-signed",
			noStatement, "The Assertion under the signature of the Response does not say that the user signed in."),
		instant("c50-instant-future", swap(authnInstant, beyondSkew),
			"The user signed in in the future, just beyond the skew of three minutes."),
		instant("c50-instant-missing", cut(` AuthnInstant="`+authnInstant+`"`),
			"The AuthnStatement does not say when."),
		instant("c50-second-instant-future", insertAfter("</AuthnStatement>", second(beyondSkew, "")),
			"The second of two AuthnStatements lies in the future."),
		family("force-authn", "authn instant", "authn_instant")("c50-not-fresh",
			swap(authnInstant, "2026-03-10T09:25:59.999Z"), "A fresh sign-in was asked for; this one is older than the request, just beyond the skew."),
		{name: "c50-not-fresh-request", from: "force-authn", expect: "authn_instant", check: "authn instant",
			header: header{"force_authn_at": "2026-03-10T09:32:56Z"},
			why:    "The sign-in is older than the request that asked for a fresh one."},
		session("c50-session-over", swap(end, overForSkew),
			"The session ended three minutes ago, just beyond the skew."),
		session("c50-session-long-over", swap(end, "2025-03-10T17:29:55Z"), "The session ended a year ago."),
		session("c50-second-session-over",
			insertAfter("</AuthnStatement>",
				second(authnInstant, ` SessionNotOnOrAfter="`+overForSkew+`"`)), "The second of two sessions has ended."),
	}
}

func contextVectors() []vector {
	const class = "<AuthnContextClassRef>" + passwordContext + "</AuthnContextClassRef>"
	context := family("requested-context", "authn context", "authn_context")
	return []vector{
		context("c51-other", swap(class,
			strings.Replace(class, passwordContext, "urn:oasis:names:tc:SAML:2.0:ac:classes:unspecified",
				1)), "The user signed in by another method than was asked for."),
		context("c51-other-case", swap(class, strings.Replace(class, "Password<", "password<", 1)),
			"Classes are compared with their case."),
		context("c51-declaration", swap(class, "<AuthnContextDeclRef>"+passwordContext+"</AuthnContextDeclRef>"),
			"The method is named as a declaration, not as a class."),
		{name: "c51-empty", from: "empty-context", expect: "authn_context", check: "authn context",
			header: header{"requested_context": passwordContext},
			why:    "The class is empty, and one was asked for."},
		context("c51-blank", swap(class, strings.Replace(class, "Password<", "Password <", 1)),
			"A blank behind the class."),
		{name: "c51-asked-for-another", from: "requested-context", expect: "authn_context", check: "authn context",
			header: header{"requested_context": certificateContext},
			why:    "A certificate was asked for, and the user typed a password."},
	}
}

func timeVectors() []vector {
	const check = "times"
	at := func(name, place, value, why string) vector {
		return family("entra", check, "time_format")(name, swap(place, value), why)
	}
	end := func(name, value, why string) vector { return at(name, notOnOrAfter, value, why) }
	return []vector{
		end("c52-offset-15", "2026-03-11T01:29:58+15:00", "An offset of more than 14 hours."),
		end("c52-offset-14-01", "2026-03-11T00:30:58+14:01", "An offset of one minute more than 14 hours."),
		end("c52-offset-no-colon", "2026-03-10T12:29:58+0200", "An offset without a colon."),
		end("c52-offset-hours-only", "2026-03-10T12:29:58+02", "An offset without minutes."),
		end("c52-offset-one-digit", "2026-03-10T12:29:58+2:00", "An offset with an hour of one digit."),
		end("c52-offset-60-minutes", "2026-03-10T12:29:58+01:60", "An offset of 60 minutes."),
		end("c52-offset-no-sign", "2026-03-10T12:29:5802:00", "An offset without a sign."),
		end("c52-offset-and-z", "2026-03-10T12:29:58+02:00Z", "An offset and Z."),
		end("c52-no-zone", "2026-03-10T10:29:58", "A time without a zone."),
		end("c52-lower-case", "2026-03-10t10:29:58z", "The letters T and Z are capitals."),
		end("c52-blank-for-t", "2026-03-10 10:29:58Z", "A blank instead of T."),
		end("c52-date-only", "2026-03-10", "A date without a time."),
		end("c52-no-seconds", "2026-03-10T10:29Z", "A time without seconds."),
		end("c52-comma", "2026-03-10T10:29:58,5Z", "A comma before the fraction."),
		end("c52-no-fraction", "2026-03-10T10:29:58.Z", "A point without a fraction."),
		end("c52-31-april", "2026-04-31T10:29:58Z", "A day that does not exist."),
		end("c52-month-13", "2026-13-10T10:29:58Z", "A month that does not exist."),
		end("c52-hour-25", "2026-03-10T25:00:00Z", "Hour 25."),
		end("c52-hour-24-01-00", "2026-03-10T24:01:00Z", "A minute past 24:00:00."),
		end("c52-hour-24-00-01", "2026-03-10T24:00:01Z", "A second past 24:00:00."),
		end("c52-hour-24-fraction", "2026-03-10T24:00:00.001Z", "A millisecond past 24:00:00."),
		end("c52-hour-24-no-zone", "2026-03-10T24:00:00", "24:00:00 without a zone."),
		end("c52-leap-second", "2026-03-10T23:59:60Z", "A leap second, which SAML forbids (Core 1.3.3)."),
		end("c52-five-digit-year", "12026-03-10T10:29:58Z", "A year of five digits."),
		end("c52-year-0", "0000-03-10T10:29:58Z", "There is no year 0."),
		end("c52-blanks", " 2026-03-10T10:29:58Z ", "Blanks around the time."),
		end("c52-empty", "", "The time is empty."),
		end("c52-number", "1773138598", "Seconds since 1970."),
		end("c52-other-digits", "２０２６-03-10T10:29:58Z", "Digits outside ASCII."),
		at("c52-not-before", notBefore, "2026-03-10T09:24:58", "NotBefore without a zone."),
		at("c52-issue-instant", assertionIssued, "2026-03-10T09:29:58",
			"The Assertion's IssueInstant without a zone."),
		at("c52-confirmation", deliverBefore, "2026-03-10T10:29:58",
			"NotOnOrAfter of the confirmation without a zone."),
		at("c52-authn-instant", authnInstant, "2026-03-10T09:29:55", "AuthnInstant without a zone."),
		family("session-end", check, "time_format")("c52-session", swap("2026-03-10T17:29:55Z", "P8H"),
			"SessionNotOnOrAfter is a duration."),
		family("entra", "response issue instant", "time_format")("c52-response",
			swap(responseIssued, "2026-03-10T09:29:58.123"), "The Response's IssueInstant without a zone."),
	}
}

func nameIDVectors() []vector {
	const check = "name id"
	const element = `<NameID Format="` + persistentFormat + `">Kx7h 0pq@@9/=</NameID>`
	any := func(name, value, why string) vector {
		return family("any-name-id", check, "name_id")(name, swap(element, value), why)
	}
	text := func(name, value, why string) vector {
		return any(name, `<NameID Format="`+persistentFormat+`">`+value+`</NameID>`, why)
	}
	long := strings.Repeat("l", 64) + "@" + strings.Repeat("long.", 40) + "example.com"
	return []vector{
		any("c53-no-name-id", "", "The Subject has no NameID."),
		text("c53-empty", "", "The NameID is empty."),
		text("c53-257-characters", strings.Repeat("é", 257), "The NameID has more than 256 characters."),
		text("c53-tab", "a&#9;b", "The NameID has a control character."),
		text("c53-line-break", "a\nb", "The NameID has a line break."),
		text("c53-control", "a\u0085b", "The NameID has a control character beyond ASCII."),
		text("c53-blank-first", " ada", "A blank stands before the NameID."),
		text("c53-blank-last", "ada ", "A blank stands behind the NameID."),
		text("c53-no-break-space", "ada\u00A0", "A no-break space stands behind the NameID."),
		family("no-email-claim", check, "name_id")("c53-address-no-break-space",
			swap(">"+nameID+"</NameID>", ">"+nameID+"\u00A0</NameID>"),
			"A no-break space stands behind the address: it is no white space of XML."),
		family("no-email-claim", check, "name_id")("c53-address-control",
			swap(">"+nameID+"</NameID>", ">\u0085"+nameID+"</NameID>"),
			"The control character NEL stands before the address: it is no white space of XML."),
		family("no-email-claim", check, "name_id")("c53-white-space-only",
			swap(">"+nameID+"</NameID>", "> \n </NameID>"), "The NameID is white space alone."),
		family("no-email-claim", check, "name_id")("c53-long-address",
			swap(">"+nameID+"</NameID>",
				">"+long+"</NameID>"), "The NameID is an e-mail address of more than 256 characters."),
		any("c53-base-id", `<BaseID NameQualifier="x"/>`, "The subject is named by a BaseID."),
		any("c53-encrypted-id", `<EncryptedID><e:EncryptedData xmlns:e="`+nsXEnc+`"><e:CipherData><e:CipherValue>AAAA</e:CipherValue></e:CipherData></e:EncryptedData></EncryptedID>`,
			"The NameID is encrypted, and no key to decrypt it with is configured."),
		{name: "c53-two-name-ids", from: "entra", expect: "schema",
			change: insertAfter("</NameID>", "<NameID>mallory@example.com</NameID>"),
			why:    "The Subject has two NameIDs."},
		{name: "c53-element-inside", from: "entra", expect: "schema",
			change: swap(">"+nameID+"</NameID>",
				`>`+nameID+`<x:y xmlns:x="urn:example:x">.attacker.example</x:y></NameID>`),
			why: "An element stands in the NameID: readers disagree about its text."},
		{name: "c53-no-subject", from: "entra", expect: "subject_confirmation", check: "subject confirmation",
			change: cutElement("<Subject>", "</Subject>"), why: "The Assertion has no Subject."},
	}
}

func emailVectors() []vector {
	const claim = `<Attribute Name="` + xmlsoc + `emailaddress"><AttributeValue>` + nameID +
		`</AttributeValue></Attribute>`
	named := func(name, value, why string) vector {
		return family("no-email-claim", "name id is e-mail", "name_id_not_email")(name,
			swap(">"+nameID+"</NameID>", ">"+value+"</NameID>"), why)
	}
	agrees := family("entra", "name id agrees", "name_id_mismatch")
	object := family("object-id", "object id", "object_id_missing")
	tenant := attribute(claims+"tenantid", tenantID)
	return []vector{
		named("c54-opaque", "kXh7c0pq9", "The NameID is no e-mail address."),
		named("c54-blank-inside", "ada lovelace@example.com", "A blank stands inside the address."),
		named("c54-two-lines", "ada@example.com mallory@example.com", "Two addresses with a blank between them."),
		named("c54-two-ats", "ada@example.com@attacker.example", "The NameID has two @."),
		named("c54-display-name", "Ada Lovelace &lt;ada.lovelace@example.com>",
			"The NameID is an address with a name."),
		named("c54-list", "ada@example.com,mallory@attacker.example", "The NameID is a list of addresses."),
		named("c54-quoted", "&quot;ada&quot;@example.com", "The local part is quoted."),
		named("c54-no-local-part", "@example.com", "The local part is empty."),
		named("c54-long-local-part", strings.Repeat("a", 65)+"@example.com", "The local part has more than 64 bytes."),
		named("c54-no-domain", "ada@", "The domain is empty."),
		named("c54-long-domain", "a@"+strings.Repeat("a.", 123)+"examples", "The domain has more than 253 bytes."),
		named("c54-empty-label", "ada@example..com", "The domain has an empty label."),
		named("c54-invisible", "ada\u200B@example.com", "The address has an invisible character."),
		named("c54-kelvin-sign", "ada.lovelace.\u212A@example.com",
			"The K is U+212A KELVIN SIGN: strings.ToLower and databases make an ASCII k of it, and so another person's address."),
		{name: "c54-international-email", from: "international-email", expect: "name_id_not_email",
			check: "name id is e-mail", header: header{"policy": "-"},
			why: "The address has characters beyond ASCII, some of which look like ASCII letters, and the policy does not allow them."},
		family("no-email-claim", "name id is e-mail", "name_id_guest")("c54-guest",
			swap(">"+nameID+"</NameID>", ">ada_example.com#EXT#@contoso.onmicrosoft.com</NameID>"),
			"The NameID is the user principal name of a guest, which looks like an address."),
		family("no-email-claim", "name id is e-mail", "name_id_guest")("c54-guest-lower-case",
			swap(">"+nameID+"</NameID>", ">ada_example.com#ext#@contoso.onmicrosoft.com</NameID>"),
			"The NameID is the user principal name of a guest, in lower case."),
		family("no-email-claim", "name id is e-mail", "name_id_not_email")("c54-transient",
			swap(emailFormat, "urn:oasis:names:tc:SAML:2.0:nameid-format:transient"),
			"The NameID looks like an address and is said to be transient."),
		agrees("c54-other-claim", swap(claim, strings.Replace(claim, nameID, "grace.hopper@example.com", 1)),
			"The emailaddress claim names another address: the NameID is the user principal name."),
		agrees("c54-empty-claim", swap(claim, strings.Replace(claim, nameID, "", 1)),
			"The emailaddress claim is there and empty."),
		agrees("c54-blank-in-claim", swap(claim, strings.Replace(claim, nameID, nameID+" ", 1)),
			"The emailaddress claim has a blank behind the address."),
		agrees("c54-accent-in-claim", swap(claim, strings.Replace(claim, nameID, "ada.lovelacé@example.com", 1)),
			"Only the case of ASCII letters is folded."),
		object("c54-no-object-id", swap(`Name="`+claims+`objectidentifier"`, `Name="urn:example:other"`),
			"The policy demands an object ID, and there is none."),
		object("c54-no-tenant-id", cut(tenant),
			"The policy demands an object ID, and nobody says of which directory it is."),
		object("c54-other-tenant-id",
			swap(tenant, strings.Replace(tenant, tenantID, "00000000-1111-4222-8333-444444444444",
				1)), "The object ID is of another directory than the issuer's."),
		object("c54-empty-object-id", swap("3e1a7c55-0d3b-4f2e-8a64-2b9d7f10c6e4", ""), "The object ID is empty."),
	}
}

func qualifierVectors() []vector {
	const place = `SPNameQualifier="` + redirectURL + `"`
	qualifier := func(name, value, why string) vector {
		return family("sp-name-qualifier", "sp name qualifier", "sp_name_qualifier")(name,
			swap(place, `SPNameQualifier="`+value+`"`), why)
	}
	return []vector{
		qualifier("c55-other", "https://other.example.com/", "The NameID was made for another service."),
		qualifier("c55-slash", redirectURL+"/", "A slash follows our entity ID."),
		qualifier("c55-identity-provider", idpEntityID, "The SPNameQualifier is the identity provider."),
		qualifier("c55-empty", "", "An empty SPNameQualifier is not an absent one."),
		{name: "c55-former-redirect-url", from: "former-sp-name-qualifier", expect: "sp_name_qualifier",
			check: "sp name qualifier", header: header{"former_entity_ids": "-"},
			why: "The SPNameQualifier is a Redirect URL of the past, which is no entity ID of ours."},
		qualifier("c55-other-case", strings.ToUpper(redirectURL), "Entity IDs are compared with their case."),
	}
}

func attributeVectors() []vector {
	bad := family("entra", "attributes", "attributes")
	value := func(name, content, why string) vector {
		return bad(name, insertAfter("<AttributeStatement>", attribute("urn:example:attribute", content)), why)
	}
	return []vector{
		bad("c56-no-name", insertAfter("<AttributeStatement>",
			`<Attribute><AttributeValue>x</AttributeValue></Attribute>`), "An Attribute has no Name."),
		bad("c56-empty-name", insertAfter("<AttributeStatement>", attribute("", "x")),
			"The Name of an Attribute is empty."),
		bad("c56-friendly-name-only",
			insertAfter("<AttributeStatement>",
				`<Attribute FriendlyName="mail"><AttributeValue>x</AttributeValue></Attribute>`), "An Attribute has a FriendlyName alone, which is no key."),
		value("c56-subject", `<Subject><NameID>mallory@example.com</NameID></Subject>`,
			"A Subject stands in the value of an attribute."),
		value("c56-deep-name-id", `<x:y xmlns:x="urn:example:x"><NameID>mallory@example.com</NameID></x:y>`,
			"A NameID stands deeper than directly in the value of an attribute."),
		value("c56-attribute", attribute("groups", "administrators"), "An Attribute stands in the value of another."),
		value("c56-status", `<p:Status xmlns:p="`+nsProtocol+`"><p:StatusCode Value="`+success+`"/></p:Status>`,
			"An element of the protocol namespace stands in the value of an attribute."),
		value("c56-key-info", `<d:KeyInfo xmlns:d="`+nsDSig+`"><d:KeyName>x</d:KeyName></d:KeyInfo>`,
			"An element of the signature namespace stands in the value of an attribute."),
		{name: "c56-unknown-element", from: "entra", expect: "schema",
			change: insertAfter("<AttributeStatement>", attribute("urn:example:attribute", `<Future/>`)),
			why:    "An element of the assertion namespace that does not exist stands in the value of an attribute."},
		{name: "c56-foreign-in-attribute", from: "entra", expect: "schema",
			change: insertAfter("<AttributeStatement>",
				`<Attribute Name="x"><x:y xmlns:x="urn:example:x"/></Attribute>`),
			why: "A foreign element stands in an Attribute, where only values may."},
	}
}
