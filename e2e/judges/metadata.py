#!/usr/bin/python3
"""python3-saml reads the metadata of a service provider from its input, and says what is wrong with it: a list of its codes as JSON."""
import json
import sys

from onelogin.saml2.settings import OneLogin_Saml2_Settings as Settings

own = {
    "strict": True,
    "sp": {"entityId": "https://sp.example.com", "assertionConsumerService": {"url": "https://sp.example.com/acs"}},
}
print(json.dumps(Settings(own, sp_validation_only=True).validate_metadata(sys.stdin.buffer.read())))
