"""The part of a browser between spid-sp-test and a service: a plugin of the suite (its option -ap).

It follows the service's own form and redirects, as a browser does. It also gives the suite the two things that it reads from an
AuthnRequest and that only Italian requests have: without them it sends no response at all. The request itself is judged in a run without
this plugin.
"""
from urllib.parse import urljoin, urlsplit

from lxml import etree, html
from spid_sp_test.authn_request import get_authn_request
from spid_sp_test.plugins.authn_request import Base

ISSUER = "{urn:oasis:names:tc:SAML:2.0:assertion}Issuer"


class Browser(Base):
    def request(self):
        data = get_authn_request(self.authn_request_url, requests_session=self.requests_session)
        root = etree.fromstring(data["SAMLRequest_xml"])
        issuer = root.find(ISSUER)
        issuer.set("NameQualifier", issuer.text)  # becomes the Audience
        data["SAMLRequest_xml"] = etree.tostring(root)
        return data

    def response(self, url, data=None, **kwargs):
        answer = self.requests_session.post(url, data=data, allow_redirects=False)
        form = html.fromstring(answer.content).find(".//form") if answer.status_code == 200 else None
        if form is None:
            raise Exception(f"the first post is answered with {answer.status_code}, want the form that posts again")
        answer = self.requests_session.post(urljoin(url, form.action), data=dict(form.form_values()), allow_redirects=False)
        for _ in range(5):
            if answer.status_code not in (302, 303, 307):
                return answer
            there = urljoin(answer.url, answer.headers["Location"])
            if urlsplit(there).netloc != urlsplit(url).netloc:
                answer.status_code = 401  # sent to sign in: nobody is signed in
                return answer
            answer = self.requests_session.get(there, allow_redirects=False)
        raise Exception("a redirect loop")
