#!/usr/bin/python3
"""An identity provider on pysaml2: what it reads and writes of SAML goes through pysaml2 and xmlsec1, the pages around it are ours.

idp.py PORT DIR. Each service of DIR/clients.json has a pysaml2 server of its own at /<slug>/, with these knobs:
  sign_response, sign_assertion   booleans; default false, true
  algorithm                       signature and digest, such as "sha512"; default "sha256"
  encrypt                         boolean; pysaml2 has no other choice than Triple DES
  content, session_key            another content encryption: its URI, and xmlsec1's name for its key ("aes-128"); these replace pysaml2's constant
  transport                       another key transport: its URI
  self_contained                  boolean: what is encrypted declares its namespaces itself; default true
  advice                          boolean: the attributes are in an encrypted assertion inside the Advice of the other one (PEFIM)
  want_signed                     boolean: requests must be signed
  name_id                         "email" (default), "persistent", "transient" or "unspecified"
  logout                          "redirect" (default), "post" or "soap": how it sends the LogoutRequest when a user signs out here
"""
import base64
import html
import http.cookies
import json
import re
import sys
import traceback
import urllib.parse
import urllib.request
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import saml2.entity
from saml2 import BINDING_HTTP_POST, BINDING_HTTP_REDIRECT, BINDING_SOAP, saml, samlp, sigver, xmldsig
from saml2.authn_context import PASSWORD, UNSPECIFIED, AuthnBroker, authn_context_class_ref
from saml2.config import IdPConfig
from saml2.metadata import entity_descriptor
from saml2.request import IncorrectlySigned
from saml2.server import Server

PORT, DIR = int(sys.argv[1]), sys.argv[2]
BASE = f"http://localhost:{PORT}"
USERS = {u["name"]: u for u in json.load(open(f"{DIR}/users.json"))}
CLIENTS = {c["slug"]: c for c in json.load(open(f"{DIR}/clients.json"))}
FORMATS = {
    "email": saml.NAMEID_FORMAT_EMAILADDRESS,
    "persistent": saml.NAMEID_FORMAT_PERSISTENT,
    "transient": saml.NAMEID_FORMAT_TRANSIENT,
    "unspecified": saml.NAMEID_FORMAT_UNSPECIFIED,
}
CLAIMS = "http://schemas.xmlsoap.org/ws/2005/05/identity/claims/"
BINDINGS = {"redirect": BINDING_HTTP_REDIRECT, "post": BINDING_HTTP_POST, "soap": BINDING_SOAP}
SESSIONS = {}  # by slug and name of the user: NameID and SessionIndexes of each sign-in
MESSAGE = ("SAMLRequest", "RelayState", "SigAlg", "Signature")

broker = AuthnBroker()
broker.add(authn_context_class_ref(UNSPECIFIED), "password", 0, BASE)
broker.add(authn_context_class_ref(PASSWORD), "password", 1, BASE)


class Service:
    """pysaml2's server for one service, and who is signed in there."""

    def __init__(self, client):
        self.client, self.knobs = client, client["knobs"]
        base = f"{BASE}/{client['slug']}"
        pair = json.load(open(f"{DIR}/keys.json"))
        self.key = pair
        both = [(f"{base}/sso", BINDING_HTTP_REDIRECT), (f"{base}/sso", BINDING_HTTP_POST)]
        logout = [(f"{base}/slo", binding) for binding in BINDINGS.values()]
        self.sessions = SESSIONS.setdefault(client["slug"], {})
        self.config = IdPConfig().load({
            "entityid": f"{base}/metadata",
            "xmlsec_binary": "/usr/bin/xmlsec1",
            "key_file": f"{DIR}/{pair}.key",
            "cert_file": f"{DIR}/{pair}.crt",
            "metadata": {"local": [client["metadata"]] if client["metadata"] else []},
            "service": {"idp": {
                "endpoints": {"single_sign_on_service": both, "single_logout_service": logout},
                "name_id_format": [FORMATS[self.knobs.get("name_id", "email")]],
                "want_authn_requests_signed": self.knobs.get("want_signed", False),
                "policy": {"default": {"lifetime": {"minutes": 5}, "name_form": saml.NAME_FORMAT_URI, "attribute_restrictions": None}},
            }},
        })
        self.server = Server(config=self.config)

    def parse(self, form, binding, parser="parse_authn_request"):
        """Returns the request. pysaml2 7.0 checks a signature inside the XML itself. That of the redirect binding it leaves to its caller, but it
        refuses the request for want of one inside, so it must not hear of want_signed then."""
        inside = binding == BINDING_HTTP_POST and self.knobs.get("want_signed", False)
        self.config.setattr("idp", "want_authn_requests_signed", inside)
        try:
            request = getattr(self.server, parser)(form["SAMLRequest"], binding)
        finally:
            self.config.setattr("idp", "want_authn_requests_signed", self.knobs.get("want_signed", False))
        if binding == BINDING_HTTP_REDIRECT and (self.knobs.get("want_signed") or "Signature" in form):
            if "Signature" not in form:
                raise IncorrectlySigned("the query has no signature")
            message = {k: form[k] for k in MESSAGE if k in form}
            certificates = self.server.metadata.certs(request.message.issuer.text, "any", "signing")
            if not any(sigver.verify_redirect_signature(message, self.server.sec.sec_backend, certificate) for certificate in certificates):
                raise IncorrectlySigned("the signature of the query is wrong")
        return request.message

    def answer(self, user, request):
        """Returns the page that posts the response. request is None where the user began here."""
        if request is not None:
            args = self.server.response_args(request, [BINDING_HTTP_POST])
            args = {k: args[k] for k in ("in_response_to", "destination", "sp_entity_id")}
        else:
            args = {"in_response_to": None, "destination": self.client["acs"], "sp_entity_id": self.client["entity_id"]}
        picked = broker.pick(request.requested_authn_context if request is not None else None)
        if not picked:
            error = (samlp.STATUS_NO_AUTHN_CONTEXT, "only passwords are checked here")
            response = self.server.create_error_response(args["in_response_to"], args["destination"], error, sign=True)
        else:
            response = self.success(user, args)
        bound = self.server.apply_binding(BINDING_HTTP_POST, str(response), args["destination"], "", response=True)
        return bound["data"]

    def success(self, user, args):
        algorithm = self.knobs.get("algorithm", "sha256").upper()
        content = {}
        for knob, name in (("content", "msg_enc"), ("transport", "key_enc")):
            if knob in self.knobs:
                content[name] = self.knobs[knob]
        encrypt, plain = self.server.sec.encrypt_assertion, sigver.pre_encryption_part
        saml2.entity.pre_encryption_part = lambda **given: plain(**given, **content)
        self.server.sec.encrypt_assertion = lambda *a, **k: encrypt(*a, key_type=self.knobs.get("session_key", "des-192"), **k)
        try:
            response = self.server.create_authn_response(
                {
                    CLAIMS + "emailaddress": [user["email"]] if user["email"] else [],
                    CLAIMS + "givenname": [user["given"]],
                    CLAIMS + "surname": [user["surname"]],
                    "http://schemas.microsoft.com/identity/claims/displayname": [user["given"] + " " + user["surname"]],
                    "http://schemas.microsoft.com/ws/2008/06/identity/claims/groups": user["groups"],
                },
                userid=user["name"],
                name_id=self.name_id(user),
                authn={"class_ref": PASSWORD, "authn_auth": BASE},
                sign_response=self.knobs.get("sign_response", False),
                sign_assertion=self.knobs.get("sign_assertion", True),
                sign_alg=getattr(xmldsig, "SIG_RSA_" + algorithm),
                digest_alg=getattr(xmldsig, "DIGEST_" + algorithm),
                encrypt_assertion=self.knobs.get("encrypt", False),
                encrypt_assertion_self_contained=self.knobs.get("self_contained", True),
                encrypted_advice_attributes=self.knobs.get("advice", False),
                pefim=self.knobs.get("advice", False),
                **args,
            )
        finally:
            self.server.sec.encrypt_assertion = encrypt
        indexes = re.findall(r'SessionIndex="([^"]*)"', str(response))  # none if the assertion is encrypted
        self.sessions.setdefault(user["name"], []).append((self.last_name_id, indexes))
        return response

    def begin_logout(self, user):
        """Ends the sessions of a user at the service, of which there may be several."""
        sessions, wanted = self.sessions.pop(user, []), BINDINGS[self.knobs.get("logout", "redirect")]
        binding, destination = self.server.pick_binding("single_logout_service", [wanted], "spsso", entity_id=self.client["entity_id"])
        _, request = self.server.create_logout_request(
            destination, self.client["entity_id"], name_id=sessions[-1][0], session_indexes=[i for s in sessions for i in s[1]],
            sign=binding != BINDING_HTTP_REDIRECT, sign_alg=xmldsig.SIG_RSA_SHA256, digest_alg=xmldsig.DIGEST_SHA256)
        return binding, self.bind(binding, request, destination)

    def answer_logout(self, form, binding):
        """Returns what answers the LogoutRequest of the service."""
        request = self.parse(form, BINDING_HTTP_POST if binding == BINDING_SOAP else binding, "parse_logout_request")
        for user, sessions in list(self.sessions.items()):
            if any(s[0].text == request.name_id.text for s in sessions):
                del self.sessions[user]
        if binding == BINDING_SOAP:
            response = self.server.create_logout_response(request, [BINDING_SOAP], sign=True, sign_alg=xmldsig.SIG_RSA_SHA256, digest_alg=xmldsig.DIGEST_SHA256)
            return binding, self.bind(binding, response, "", response=True)
        both = [BINDING_HTTP_REDIRECT, BINDING_HTTP_POST]
        back, destination = self.server.pick_binding("single_logout_service", both, "spsso", request)
        response = self.server.create_logout_response(
            request, both, sign=back == BINDING_HTTP_POST, sign_alg=xmldsig.SIG_RSA_SHA256, digest_alg=xmldsig.DIGEST_SHA256)
        return back, self.bind(back, response, destination, form.get("RelayState", ""), response=True)

    def bind(self, binding, message, destination, relay_state="", response=False):
        return self.server.apply_binding(binding, str(message), destination, relay_state, response=response,
                                         sign=binding == BINDING_HTTP_REDIRECT, sigalg=xmldsig.SIG_RSA_SHA256)

    def name_id(self, user):
        self.last_name_id = self.new_name_id(user)
        return self.last_name_id

    def new_name_id(self, user):
        kind = self.knobs.get("name_id", "email")
        if kind == "email":
            return saml.NameID(format=FORMATS[kind], text=user["email"])
        if kind == "unspecified":
            return saml.NameID(format=FORMATS[kind], text=user["name"])
        make = self.server.ident.persistent_nameid if kind == "persistent" else self.server.ident.transient_nameid
        return make(user["name"], sp_name_qualifier=self.client["entity_id"], name_qualifier=self.config.entityid)


def message_in(envelope):
    """Returns the message in the Body of an envelope, as a form carries it. What pysaml2 7.0 takes out of an envelope by itself has other
    prefixes than what was signed, so it verifies no signature but those of its own messages."""
    return base64.b64encode(re.search(r"Body>(.*)</[^<>]*Body>", envelope, re.S)[1].encode()).decode()


services = {}


def service(slug):
    pair = json.load(open(f"{DIR}/keys.json"))
    if slug not in services or services[slug].key != pair:
        services[slug] = Service(CLIENTS[slug])
    return services[slug]


class Pages(BaseHTTPRequestHandler):
    def do_GET(self):
        address = urllib.parse.urlparse(self.path)
        self.serve(address.path, dict(urllib.parse.parse_qsl(address.query)), BINDING_HTTP_REDIRECT)

    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"])).decode()
        if "xml" in self.headers.get("Content-Type", ""):
            return self.serve(self.path, {"SAMLRequest": message_in(body)}, BINDING_SOAP)
        form = dict(urllib.parse.parse_qsl(body))
        self.serve(urllib.parse.urlparse(self.path).path, form, form.pop("binding", BINDING_HTTP_POST))

    def serve(self, path, form, binding):
        try:
            if path == "/":
                return self.page("running")
            _, slug, what = path.split("/")
            at = service(slug)
            if what == "metadata":
                return self.page(str(entity_descriptor(at.config)), kind="application/samlmetadata+xml")
            if what in ("slo", "logout"):
                return self.sign_out(at, what, form, binding)
            self.sign_in(at, what, form, binding)
        except Exception as e:
            traceback.print_exc()
            self.page(f"<h1>The identity provider refuses</h1><p>{type(e).__name__}: {html.escape(str(e))}</p>", 400)

    def cookie(self, at):
        return http.cookies.SimpleCookie(self.headers.get("Cookie", "")).get("user-" + at.client["slug"])

    def sign_out(self, at, what, form, binding):
        gone = f"user-{at.client['slug']}=; Path=/; Max-Age=0"
        if what == "logout":
            binding, bound = at.begin_logout(self.cookie(at).value)
        elif "SAMLResponse" in form:
            answer = at.server.parse_logout_request_response(form["SAMLResponse"], binding)
            return self.page(f"<h1>Signed out</h1><p>{answer.response.status.status_code.value}</p>", cookie=gone)
        else:
            incoming, (binding, bound) = binding, at.answer_logout(form, binding)
            if incoming == BINDING_SOAP:
                return self.page(bound["data"], kind="text/xml")
        if binding == BINDING_HTTP_REDIRECT:
            return self.page("", 303, cookie=gone, location=dict(bound["headers"])["Location"])
        if binding == BINDING_SOAP:
            call = urllib.request.Request(bound["url"], bound["data"].encode(), {"Content-Type": "text/xml"})
            with urllib.request.urlopen(call) as answer:
                message = message_in(answer.read().decode())
            status = at.server.parse_logout_request_response(message, BINDING_HTTP_POST).response.status
            return self.page(f"<h1>Signed out</h1><p>{status.status_code.value}</p>", cookie=gone)
        self.page(bound["data"], cookie=gone)

    def sign_in(self, at, what, form, binding):
        request = at.parse(form, binding) if what == "sso" else None
        cookie = self.cookie(at)
        force = request is not None and request.force_authn in ("true", "1")
        if "user" in form:
            user = USERS[form["user"]]
            if form["password"] != user["name"] + "pass":
                return self.page("<h1>Wrong password</h1>", 403)
            return self.page(at.answer(user, request), cookie=f"user-{at.client['slug']}={user['name']}; Path=/; HttpOnly; SameSite=Lax")
        if cookie and cookie.value in at.sessions and not force:
            return self.page(at.answer(USERS[cookie.value], request))
        hidden = "".join(f'<input type="hidden" name="{k}" value="{html.escape(form[k])}">' for k in MESSAGE if k in form)
        self.page(f'<form method="post">{hidden}<input type="hidden" name="binding" value="{binding}">'
                  '<input name="user"><input type="password" name="password"><button>Sign in</button></form>')

    def page(self, text, status=200, kind="text/html; charset=utf-8", cookie=None, location=None):
        data = text if isinstance(text, bytes) else text.encode()
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(data)))
        if cookie:
            self.send_header("Set-Cookie", cookie)
        if location:
            self.send_header("Location", location)
        self.end_headers()
        self.wfile.write(data)


ThreadingHTTPServer(("127.0.0.1", PORT), Pages).serve_forever()
