#!/usr/bin/python3
"""Shibboleth's verdicts on signatures, by samlsign. Reads one case a line as JSON (see judges_test.go), answers one line each: {"accepted", "why"}.

samlsign verifies one signature by one certificate, and nothing else. A message is accepted if it has a signature where SAML puts one (in the
Response, in the Assertion in it), and each of these verifies by one of the certificates."""
import base64
import json
import os
import re
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor

from lxml import etree

SIGNATURE = "{http://www.w3.org/2000/09/xmldsig#}Signature"
ASSERTION = "{urn:oasis:names:tc:SAML:2.0:assertion}Assertion"


def samlsign(message, certificate, *options):
    run = subprocess.run(["samlsign", "-f", message, "-c", certificate, *options], capture_output=True, text=True, errors="replace", timeout=60)
    return run.returncode == 0, " ".join(run.stderr.split())[-200:]


def signed(document):
    """gives the option that selects each signed element; where there is none, or no XML, samlsign itself says what it thinks of that."""
    try:
        root = etree.fromstring(document, etree.XMLParser(resolve_entities=False, no_network=True))
    except etree.XMLSyntaxError:
        return [[]]
    found = [e for e in [root, *root.findall(ASSERTION)] if e.find(SIGNATURE) is not None]
    return [[] if e is root else ["-id", e.get("ID", "")] for e in found] or [[]]


def judge(case):
    document = base64.b64decode("".join(case["response"].split()))
    with tempfile.TemporaryDirectory() as folder:
        message = os.path.join(folder, "message.xml")
        with open(message, "wb") as f:
            f.write(document)
        certificates = []
        for i, pem in enumerate(case["certificates"]):
            certificates.append(os.path.join(folder, f"{i}.pem"))
            with open(certificates[i], "w") as f:
                f.write(pem)
        for options in signed(document):
            for certificate in certificates:
                verified, why = samlsign(message, certificate, *options)
                if verified:
                    break
            else:
                return {"accepted": False, "why": re.sub(r"^\d+ ", "", why)}
    return {"accepted": True}


def answer(line):
    try:
        return judge(json.loads(line))
    except Exception as e:
        return {"accepted": False, "why": f"{type(e).__name__}: {e}"}


package = subprocess.run(["dpkg-query", "-W", "-f", "${Version}", "opensaml-tools"], capture_output=True, text=True)
print(json.dumps({"version": package.stdout.split("-")[0]}), flush=True)
with ThreadPoolExecutor(2) as pool:
    for verdict in pool.map(answer, sys.stdin):
        print(json.dumps(verdict), flush=True)
