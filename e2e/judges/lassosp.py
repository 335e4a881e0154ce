#!/usr/bin/python3
"""lasso's verdicts. Reads one case a line as JSON (see judges_test.go), answers one line each: {"accepted", "name_id", "why"}.

lasso leaves conditions to its caller; a service that uses it calls what it offers for them, so that is done here."""
import json
import subprocess
import sys
from xml.sax.saxutils import escape, quoteattr

import lasso

BEGIN = "<EntityDescriptor xmlns='urn:oasis:names:tc:SAML:2.0:metadata' entityID=%s>"
ROLE = "<%s protocolSupportEnumeration='urn:oasis:names:tc:SAML:2.0:protocol'%s>"
POST = "urn:oasis:names:tc:SAML:2.0:bindings:HTTP-POST"
TOLERANCE = 180  # seconds


def sp_metadata(case):
    return (
        BEGIN % quoteattr(case["entity_id"])
        + ROLE % ("SPSSODescriptor", " WantAssertionsSigned='false'")
        + f"<AssertionConsumerService index='0' isDefault='true' Binding='{POST}' Location={quoteattr(case['acs'])}/>"
        + "</SPSSODescriptor></EntityDescriptor>"
    )


def idp_metadata(case):
    keys = ""
    for pem in case["certificates"]:
        der = "".join(pem.strip().split("\n")[1:-1])
        keys += (
            "<KeyDescriptor use='signing'><KeyInfo xmlns='http://www.w3.org/2000/09/xmldsig#'><X509Data><X509Certificate>"
            + escape(der)
            + "</X509Certificate></X509Data></KeyInfo></KeyDescriptor>"
        )
    return (
        BEGIN % quoteattr(case["idp_entity_id"])
        + ROLE % ("IDPSSODescriptor", "")
        + keys
        + f"<SingleSignOnService Binding='{POST}' Location='https://idp.example/sso'/></IDPSSODescriptor></EntityDescriptor>"
    )


def judge(case):
    server = lasso.Server.newFromBuffers(sp_metadata(case), None, None, None)
    for key in case["decryption_keys"]:
        server.setEncryptionPrivateKey(key)
    server.addProviderFromBuffer(lasso.PROVIDER_ROLE_IDP, idp_metadata(case))
    login = lasso.Login(server)
    login.processAuthnResponseMsg("".join(case["response"].split()))
    response, assertion = login.response, login.assertion
    if case["request_id"] and response.inResponseTo != case["request_id"]:
        return {"accepted": False, "why": "InResponseTo is another"}
    if response.destination and response.destination != case["acs"]:
        return {"accepted": False, "why": "Destination is another"}
    for name, valid in (
        ("times", assertion.validateTimeChecks(TOLERANCE, int(case["at"]))),
        ("audience", assertion.validateAudience(case["entity_id"])),
    ):
        if valid != lasso.SAML2_ASSERTION_VALID:
            return {"accepted": False, "why": f"{name}: {valid}"}
    login.acceptSso()
    return {"accepted": True, "name_id": login.nameIdentifier.content}


def version():
    package = subprocess.run(["dpkg-query", "-W", "-f", "${Version}", "python3-lasso"], capture_output=True, text=True)
    return package.stdout.split("-")[0]


print(json.dumps({"version": version()}), flush=True)
for line in sys.stdin:
    try:
        answer = judge(json.loads(line))
    except Exception as e:
        answer = {"accepted": False, "why": f"{type(e).__name__}: {e}"}
    print(json.dumps(answer), flush=True)
