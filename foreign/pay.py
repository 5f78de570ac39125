"""Sends one request that requests-oauthlib signs.

Reads an object of JSON from standard input: url, login, key (PEM) and form, a
list of names and values. Prints one with the HTTP status and the body.
"""

import json
import sys

import requests
from oauthlib.oauth1 import SIGNATURE_RSA_SHA256
from requests_oauthlib import OAuth1

order = json.load(sys.stdin)
auth = OAuth1(order["login"], signature_method=SIGNATURE_RSA_SHA256, rsa_key=order["key"])
reply = requests.post(order["url"], data=[tuple(pair) for pair in order["form"]], auth=auth, timeout=20)
print(json.dumps({"code": reply.status_code, "body": reply.text}))
