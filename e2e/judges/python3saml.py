#!/usr/bin/python3
"""python3-saml's verdicts. Reads one case a line as JSON (see judges_test.go), answers one line each: {"accepted", "name_id", "why"}."""
import importlib.metadata
import json
import sys
import urllib.parse

from onelogin.saml2.constants import OneLogin_Saml2_Constants as Constants
from onelogin.saml2.response import OneLogin_Saml2_Response as Response
from onelogin.saml2.settings import OneLogin_Saml2_Settings as Settings
from onelogin.saml2.utils import OneLogin_Saml2_Utils as Utils


def settings(case):
    sp = {"entityId": case["entity_id"], "assertionConsumerService": {"url": case["acs"]}}
    if case["decryption_keys"]:
        sp["privateKey"] = case["decryption_keys"][0]
    idp = {
        "entityId": case["idp_entity_id"],
        "singleSignOnService": {"url": "https://idp.example/sso"},
        "x509certMulti": {"signing": case["certificates"], "encryption": case["certificates"][:1]},
    }
    security = {"wantNameId": True, "wantXMLValidation": True, "rejectDeprecatedAlgorithm": not case["allow_sha1"]}
    return Settings({"strict": True, "sp": sp, "idp": idp, "security": security}, sp_validation_only=False)


def judge(case):
    Utils.now = staticmethod(lambda: int(case["at"]))
    acs = urllib.parse.urlparse(case["acs"])
    request = {"https": "on" if acs.scheme == "https" else "off", "http_host": acs.netloc, "script_name": acs.path}
    response = Response(settings(case), case["response"])
    if not response.is_valid(request, case["request_id"] or None):
        return {"accepted": False, "why": response.get_error()}
    return {"accepted": True, "name_id": response.get_nameid()}


Constants.ALLOWED_CLOCK_DRIFT = 180
print(json.dumps({"version": importlib.metadata.version("python3-saml")}), flush=True)
for line in sys.stdin:
    try:
        answer = judge(json.loads(line))
    except Exception as e:
        answer = {"accepted": False, "why": f"{type(e).__name__}: {e}"}
    print(json.dumps(answer), flush=True)
