// The request of the builder as programs that sign by themselves. Each reads the
// private key from merchant.key, or the control key from the environment, draws
// its own nonce, and prints the reply. Tests run them.
//
// A request is {url, login, form, sum}: form is a list of pairs without control;
// sum lists what a control is made of, {name} of the form or {text}, and is null
// for a request that is signed.

// programs lists the languages in the order of the tabs.
export const programs = [
	{id: "curl", name: "curl", file: "request.sh", write: curl},
	{id: "go", name: "Go", file: "main.go", write: go},
	{id: "php", name: "PHP", file: "request.php", write: php},
	{id: "python", name: "Python", file: "request.py", write: python},
	{id: "node", name: "Node", file: "request.mjs", write: node},
];

// Strings

// quoted is a string of Go, Python and JavaScript: JSON, with what is not seen escaped.
const quoted = text => JSON.stringify(text).replace(/[\u007f-\u00a0\u00ad\u061c\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff]/g,
	c => "\\u" + c.charCodeAt(0).toString(16).padStart(4, "0"));
const shellQuoted = text => "'" + text.replaceAll("'", "'\\''") + "'";
const phpQuoted = text => "'" + text.replaceAll("\\", "\\\\").replaceAll("'", "\\'") + "'";

const lines = (items, write) => items.map(write).join("\n");

// curl

function curl(r) {
	const head = needs => `#!/usr/bin/env bash
# Needs ${needs}.
set -euo pipefail

url=${shellQuoted(r.url)}
`;
	return r.sum ? head("curl, openssl and the control key in CONTROL_KEY") + curlControl(r) :
		head("curl, openssl and the private key in merchant.key") + curlSigned(r);
}

const curlControl = r => `form=(
${lines(r.form, p => "\t--data-urlencode " + shellQuoted(p.name + "=" + p.value))}
)

# ${r.sum.map(s => s.name ?? s.label).join(" + ")} + control key
text=${shellQuoted(r.sum.map(s => s.value).join(""))}
control=$(printf %s "$text$CONTROL_KEY" | openssl dgst -sha1 | sed 's/.* //')

curl --silent --show-error --include "\${form[@]}" --data-urlencode "control=$control" "$url"
`;

const curlSigned = r => `login=${shellQuoted(r.login)}
form=( # name value
${lines(r.form, p => "\t" + shellQuoted(p.name) + " " + shellQuoted(p.value))}
)
export LC_ALL=C # bytes, not characters

# encode is percent-encoding as RFC 5849 3.6 wants it.
encode() {
	local i c
	for ((i = 0; i < \${#1}; i++)); do
		c=\${1:i:1}
		case $c in
		[A-Za-z0-9._~-]) printf %s "$c" ;;
		*) printf %%%02X $(($(printf %d "'$c") & 255)) ;;
		esac
	done
}

# encode_pairs prints one line "name value" for each pair, encoded.
encode_pairs() {
	while [ $# -gt 0 ]; do
		printf '%s %s\\n' "$(encode "$1")" "$(encode "$2")"
		shift 2
	done
}

nonce=$(openssl rand -hex 16)
oauth=(oauth_consumer_key "$login" oauth_nonce "$nonce" oauth_signature_method RSA-SHA256
	oauth_timestamp "$(date +%s)" oauth_version 1.0)

# Sorted by encoded name, then by encoded value: a blank sorts before all of them.
normalized=$(encode_pairs "\${form[@]}" "\${oauth[@]}" | sort | tr ' \\n' '=&')
base="POST&$(encode "$url")&$(encode "\${normalized%&}")"
signature=$(printf %s "$base" | openssl dgst -sha256 -sign merchant.key | openssl base64 -A)

header=$(encode_pairs "\${oauth[@]}" oauth_signature "$signature" | sed 's/ /="/; s/$/"/' | paste -sd, -)
body=$(encode_pairs "\${form[@]}" | tr ' \\n' '=&')

curl --silent --show-error --include --header "Authorization: OAuth $header" --data "\${body%&}" "$url"
`;

// Go

function go(r) {
	const form = `var form = [][2]string{
${lines(r.form, p => `\t{${quoted(p.name)}, ${quoted(p.value)}},`)}
}
`;
	return r.sum ? goControl(r, form) : goSigned(r, form);
}

const goControl = (r, form) => `package main

import (
	"crypto/sha1"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/url"
	"os"
)

const address = ${quoted(r.url)}

${form}
func main() {
	values := url.Values{}
	for _, p := range form {
		values.Set(p[0], p[1])
	}
	// ${r.sum.map(s => s.name ?? s.label).join(" + ")} + control key
	text := ${r.sum.map(s => s.name ? `values.Get(${quoted(s.name)})` : quoted(s.value)).join(" + ") || '""'}
	values.Set("control", fmt.Sprintf("%x", sha1.Sum([]byte(text+os.Getenv("CONTROL_KEY")))))

	reply, err := http.PostForm(address, values)
	if err != nil {
		log.Fatal(err)
	}
	defer reply.Body.Close()
	fmt.Println(reply.Status)
	if _, err := io.Copy(os.Stdout, reply.Body); err != nil {
		log.Fatal(err)
	}
}
`;

const goSigned = (r, form) => `package main

import (
	"cmp"
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/url"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"
)

const (
	address = ${quoted(r.url)}
	login   = ${quoted(r.login)}
)

${form}
// encode is percent-encoding as RFC 5849 3.6 wants it.
func encode(s string) string { return strings.ReplaceAll(url.QueryEscape(s), "+", "%20") }

func encodePairs(pairs [][2]string) [][2]string {
	encoded := make([][2]string, len(pairs))
	for i, p := range pairs {
		encoded[i] = [2]string{encode(p[0]), encode(p[1])}
	}
	return encoded
}

func join(pairs [][2]string, between string) string {
	texts := make([]string, len(pairs))
	for i, p := range pairs {
		texts[i] = p[0] + "=" + p[1]
	}
	return strings.Join(texts, between)
}

func privateKey(file string) (*rsa.PrivateKey, error) {
	text, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	block, _ := pem.Decode(text)
	if block == nil {
		return nil, fmt.Errorf("%s is not PEM", file)
	}
	if block.Type == "RSA PRIVATE KEY" {
		return x509.ParsePKCS1PrivateKey(block.Bytes)
	}
	key, err := x509.ParsePKCS8PrivateKey(block.Bytes)
	if err != nil {
		return nil, err
	}
	rsaKey, ok := key.(*rsa.PrivateKey)
	if !ok {
		return nil, fmt.Errorf("%s is not an RSA key", file)
	}
	return rsaKey, nil
}

// authorize returns the Authorization header's value.
func authorize(key *rsa.PrivateKey) (string, error) {
	oauth := [][2]string{{"oauth_consumer_key", login}, {"oauth_nonce", rand.Text()}, {"oauth_signature_method", "RSA-SHA256"},
		{"oauth_timestamp", strconv.FormatInt(time.Now().Unix(), 10)}, {"oauth_version", "1.0"}}
	signed := encodePairs(slices.Concat(form, oauth))
	slices.SortFunc(signed, func(a, b [2]string) int { return cmp.Or(cmp.Compare(a[0], b[0]), cmp.Compare(a[1], b[1])) })
	base := "POST&" + encode(address) + "&" + encode(join(signed, "&"))
	sum := sha256.Sum256([]byte(base))
	signature, err := rsa.SignPKCS1v15(nil, key, crypto.SHA256, sum[:])
	if err != nil {
		return "", err
	}
	header := encodePairs(append(oauth, [2]string{"oauth_signature", base64.StdEncoding.EncodeToString(signature)}))
	for i := range header {
		header[i][1] = \`"\` + header[i][1] + \`"\`
	}
	return "OAuth " + join(header, ", "), nil
}

func main() {
	key, err := privateKey("merchant.key")
	if err != nil {
		log.Fatal(err)
	}
	header, err := authorize(key)
	if err != nil {
		log.Fatal(err)
	}
	request, err := http.NewRequest(http.MethodPost, address, strings.NewReader(join(encodePairs(form), "&")))
	if err != nil {
		log.Fatal(err)
	}
	request.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	request.Header.Set("Authorization", header)
	reply, err := http.DefaultClient.Do(request)
	if err != nil {
		log.Fatal(err)
	}
	defer reply.Body.Close()
	fmt.Println(reply.Status)
	if _, err := io.Copy(os.Stdout, reply.Body); err != nil {
		log.Fatal(err)
	}
}
`;

// PHP

function php(r) {
	const head = `<?php
$url = ${phpQuoted(r.url)};
$form = [
${lines(r.form, p => `    [${phpQuoted(p.name)}, ${phpQuoted(p.value)}],`)}
];

`;
	return head + (r.sum ? phpControl(r) : phpSigned(r));
}

const phpControl = r => `// ${r.sum.map(s => s.name ?? s.label).join(" + ")} + control key
$values = array_column($form, 1, 0);
$text = ${r.sum.map(s => s.name ? `($values[${phpQuoted(s.name)}] ?? '')` : phpQuoted(s.value)).join(" . ") || "''"};
$values['control'] = sha1($text . getenv('CONTROL_KEY'));

$reply = file_get_contents($url, false, stream_context_create(['http' => [
    'method' => 'POST',
    'header' => ['Content-Type: application/x-www-form-urlencoded'],
    'content' => http_build_query($values, '', '&'),
    'ignore_errors' => true, // a refusal has a body too
]]));
echo $http_response_header[0] ?? 'no reply', "\\n", $reply;
`;

const phpSigned = r => `$oauth = [
    ['oauth_consumer_key', ${phpQuoted(r.login)}],
    ['oauth_nonce', bin2hex(random_bytes(16))],
    ['oauth_signature_method', 'RSA-SHA256'],
    ['oauth_timestamp', (string) time()],
    ['oauth_version', '1.0'],
];

// rawurlencode is percent-encoding as RFC 5849 3.6 wants it; urlencode is not.
function encodePairs(array $pairs): array
{
    return array_map(fn ($p) => [rawurlencode($p[0]), rawurlencode($p[1])], $pairs);
}

function joinPairs(array $pairs): string
{
    return implode('&', array_map(fn ($p) => $p[0] . '=' . $p[1], $pairs));
}

$signed = encodePairs(array_merge($form, $oauth));
usort($signed, fn ($a, $b) => strcmp($a[0], $b[0]) ?: strcmp($a[1], $b[1]));
$base = 'POST&' . rawurlencode($url) . '&' . rawurlencode(joinPairs($signed));
openssl_sign($base, $signature, file_get_contents('merchant.key'), OPENSSL_ALGO_SHA256) or exit("merchant.key cannot be used\\n");
$oauth[] = ['oauth_signature', base64_encode($signature)];
$header = 'OAuth ' . implode(', ', array_map(fn ($p) => $p[0] . '="' . $p[1] . '"', encodePairs($oauth)));

$reply = file_get_contents($url, false, stream_context_create(['http' => [
    'method' => 'POST',
    'header' => ['Content-Type: application/x-www-form-urlencoded', "Authorization: $header"],
    'content' => joinPairs(encodePairs($form)),
    'ignore_errors' => true, // a refusal has a body too
]]));
echo $http_response_header[0] ?? 'no reply', "\\n", $reply;
`;

// Python

function python(r) {
	const form = `URL = ${quoted(r.url)}
FORM = [
${lines(r.form, p => `    (${quoted(p.name)}, ${quoted(p.value)}),`)}
]
`;
	return r.sum ? pythonControl(r, form) : pythonSigned(r, form);
}

const pythonSend = `try:
    reply = urllib.request.urlopen(request)
except urllib.error.HTTPError as refusal:  # it has a body too
    reply = refusal
with reply:
    print(reply.status, reply.reason)
    print(reply.read().decode())
`;

const pythonControl = (r, form) => `import hashlib
import os
import urllib.error
import urllib.parse
import urllib.request

${form}
# ${r.sum.map(s => s.name ?? s.label).join(" + ")} + control key
values = dict(FORM)
text = ${r.sum.map(s => s.name ? `values.get(${quoted(s.name)}, "")` : quoted(s.value)).join(" + ") || '""'}
control = hashlib.sha1((text + os.environ["CONTROL_KEY"]).encode()).hexdigest()

body = urllib.parse.urlencode(FORM + [("control", control)])
request = urllib.request.Request(URL, body.encode())
${pythonSend}`;

const pythonSigned = (r, form) => `# Needs the package cryptography.
import base64
import secrets
import time
import urllib.error
import urllib.parse
import urllib.request

from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding

LOGIN = ${quoted(r.login)}
${form}

def encode(text):
    """Percent-encoding as RFC 5849 3.6 wants it."""
    return urllib.parse.quote(text, safe="-._~")


oauth = {
    "oauth_consumer_key": LOGIN,
    "oauth_nonce": secrets.token_hex(16),
    "oauth_signature_method": "RSA-SHA256",
    "oauth_timestamp": str(int(time.time())),
    "oauth_version": "1.0",
}
signed = sorted((encode(name), encode(value)) for name, value in [*FORM, *oauth.items()])
normalized = "&".join(f"{name}={value}" for name, value in signed)
base = "&".join(encode(part) for part in ("POST", URL, normalized))

with open("merchant.key", "rb") as file:
    key = serialization.load_pem_private_key(file.read(), password=None)
signature = key.sign(base.encode(), padding.PKCS1v15(), hashes.SHA256())
oauth["oauth_signature"] = base64.b64encode(signature).decode()
header = "OAuth " + ", ".join(f'{name}="{encode(value)}"' for name, value in oauth.items())

request = urllib.request.Request(URL, urllib.parse.urlencode(FORM).encode(), {"Authorization": header})
${pythonSend}`;

// Node

function node(r) {
	const form = `const url = ${quoted(r.url)};
const form = [
${lines(r.form, p => `  [${quoted(p.name)}, ${quoted(p.value)}],`)}
];
`;
	return r.sum ? nodeControl(r, form) : nodeSigned(r, form);
}

const nodeControl = (r, form) => `import { createHash } from "node:crypto";

${form}
// ${r.sum.map(s => s.name ?? s.label).join(" + ")} + control key
const values = new URLSearchParams(form);
const text = ${r.sum.map(s => s.name ? `(values.get(${quoted(s.name)}) ?? "")` : quoted(s.value)).join(" + ") || '""'};
values.set("control", createHash("sha1").update(text + process.env.CONTROL_KEY).digest("hex"));

const reply = await fetch(url, { method: "POST", body: values });
console.log(reply.status, reply.statusText);
console.log(await reply.text());
`;

const nodeSigned = (r, form) => `import { randomBytes, sign } from "node:crypto";
import { readFileSync } from "node:fs";

const login = ${quoted(r.login)};
${form}
// encode is percent-encoding as RFC 5849 3.6 wants it: encodeURIComponent leaves too much.
const encode = (text) =>
  encodeURIComponent(text).replace(/[!'()*]/g, (c) => "%" + c.charCodeAt(0).toString(16).toUpperCase());
const encodePairs = (pairs) => pairs.map(([name, value]) => [encode(name), encode(value)]);
const join = (pairs) => pairs.map(([name, value]) => name + "=" + value).join("&");
const compare = (a, b) => (a < b ? -1 : a > b ? 1 : 0);

const oauth = [
  ["oauth_consumer_key", login],
  ["oauth_nonce", randomBytes(16).toString("hex")],
  ["oauth_signature_method", "RSA-SHA256"],
  ["oauth_timestamp", String(Math.floor(Date.now() / 1000))],
  ["oauth_version", "1.0"],
];
const signed = encodePairs([...form, ...oauth]).sort((a, b) => compare(a[0], b[0]) || compare(a[1], b[1]));
const base = ["POST", url, join(signed)].map(encode).join("&");
const signature = sign("sha256", Buffer.from(base), readFileSync("merchant.key"));
oauth.push(["oauth_signature", signature.toString("base64")]);
const header = "OAuth " + encodePairs(oauth).map(([name, value]) => \`\${name}="\${value}"\`).join(", ");

const reply = await fetch(url, {
  method: "POST",
  headers: { "Content-Type": "application/x-www-form-urlencoded", Authorization: header },
  body: join(encodePairs(form)),
});
console.log(reply.status, reply.statusText);
console.log(await reply.text());
`;
