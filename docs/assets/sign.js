// Signing and checking a request in the page, step by step as package sign does
// it on the server: the same bytes, the same rules in the same order. Tests run
// both on the same vectors. Everything here is pure but the WebCrypto calls.

// A pair is {name, value}; a list of pairs keeps order, repeats and empty values.
// A failure is {rule, detail}: the names of the rules are those of sign/failure.go.

export const signatureMethod = "RSA-SHA256";
export const version = "1.0";
export const formPairsMax = 1000;
export const oauthPairsMax = 32;

const utf8 = new TextEncoder();
const strictUTF8 = new TextDecoder("utf-8", {fatal: true, ignoreBOM: true});

// Encoding

const isUnreserved = code => code >= 0x61 && code <= 0x7a || code >= 0x41 && code <= 0x5a || code >= 0x30 && code <= 0x39 ||
	code === 0x2d || code === 0x2e || code === 0x5f || code === 0x7e;

export const hex = bytes => Array.from(new Uint8Array(bytes), b => b.toString(16).padStart(2, "0")).join("");

// encode is percent-encoding as RFC 5849 3.6 wants it.
export function encode(text) {
	let out = "";
	for (const b of utf8.encode(text)) {
		out += isUnreserved(b) ? String.fromCharCode(b) : "%" + b.toString(16).toUpperCase().padStart(2, "0");
	}
	return out;
}

// encodeForm writes application/x-www-form-urlencoded text: "+" for a space.
export const encodeForm = pairs => pairs.map(p => formText(p.name) + "=" + formText(p.value)).join("&");

const formText = text => encode(text).replaceAll("%20", "+");

const hexDigit = c => /^[0-9A-Fa-f]$/.test(c ?? "");

// decodePercent returns {text, problem}; "+" stays "+".
export function decodePercent(raw) {
	const from = utf8.encode(raw), bytes = [];
	for (let i = 0; i < from.length; i++) {
		if (from[i] !== 0x25) {
			bytes.push(from[i]);
			continue;
		}
		const high = String.fromCharCode(from[i + 1] ?? 0), low = String.fromCharCode(from[i + 2] ?? 0);
		if (!hexDigit(high) || !hexDigit(low)) return {text: "", problem: "broken percent-encoding"};
		bytes.push(parseInt(high + low, 16));
		i += 2;
	}
	try {
		return {text: strictUTF8.decode(new Uint8Array(bytes)), problem: ""};
	} catch {
		return {text: "", problem: "not UTF-8"};
	}
}

const decodeForm = raw => decodePercent(raw.replaceAll("+", " "));

// cut splits at the first separator, which may be absent.
function cut(text, separator) {
	const at = text.indexOf(separator);
	return at < 0 ? [text, "", false] : [text.slice(0, at), text.slice(at + separator.length), true];
}

// parseForm decodes a body or a raw query into {pairs, error}: error is "" or
// says which parameter cannot be read, and pairs are empty then.
export function parseForm(text) {
	const pairs = [];
	const number = problem => ({pairs: [], error: `form parameter number ${pairs.length + 1}: ${problem}`});
	for (const segment of text.split("&")) {
		if (segment === "") continue;
		if (pairs.length === formPairsMax) return number("too many parameters");
		const [rawName, rawValue] = cut(segment, "=");
		const name = decodeForm(rawName);
		if (name.problem) return number(name.problem);
		const value = decodeForm(rawValue);
		if (value.problem) {
			const known = printableName(name.text);
			return known ? {pairs: [], error: `form parameter "${known}": ${value.problem}`} : number(value.problem);
		}
		pairs.push({name: name.text, value: value.text});
	}
	return {pairs, error: ""};
}

// printableName returns what plainly is a parameter's name, else "".
function printableName(text) {
	const digits = text.replace(/[^0-9]/g, "").length;
	return text.length <= 64 && digits <= 2 && /^[A-Za-z][A-Za-z0-9\-._~]*$/.test(text) ? text : "";
}

// The base string

// parseURL returns {scheme, host, port, path, query} for the base string (RFC
// 5849 3.4.1.2), or {failure}.
export function parseURL(method, url) {
	const wrong = detail => ({failure: {rule: "url", detail}});
	if (method === "") return wrong("the method is empty");
	let [scheme, rest, absolute] = cut(url, "://");
	scheme = scheme.toLowerCase();
	if (!absolute || scheme !== "http" && scheme !== "https") return wrong("the scheme is not http or https");
	[rest] = cut(rest, "#");
	let query;
	[rest, query] = cut(rest, "?");
	const slash = rest.indexOf("/");
	const authority = slash < 0 ? rest : rest.slice(0, slash), path = slash < 0 ? "/" : rest.slice(slash);
	let host = authority, port = "";
	const colon = authority.lastIndexOf(":");
	if (colon > authority.lastIndexOf("]")) [host, port] = [authority.slice(0, colon), authority.slice(colon)];
	if (!/^[A-Za-z0-9\-._~:[\]]+$/.test(host) || !/^(:[0-9]{0,5})?$/.test(port)) return wrong("host or port");
	const sentPort = port;
	if (port === ":" || scheme === "http" && port === ":80" || scheme === "https" && port === ":443") port = "";
	return {scheme, host: host.toLowerCase(), port, path, query, sentHost: host, sentPort};
}

export const uriText = u => u.scheme + "://" + u.host + u.port + u.path;

const order = (a, b) => a < b ? -1 : a > b ? 1 : 0;

// comparePairs orders by encoded name, then by encoded value (RFC 5849 3.4.1.3.2).
export const comparePairs = (a, b) => order(encode(a.name), encode(b.name)) || order(encode(a.value), encode(b.value));

export const normalize = list => list.map(p => encode(p.name) + "=" + encode(p.value)).join("&");

// joinBase writes a base string from a URI that is not yet encoded and the
// normalised parameters.
export const joinBase = (method, uri, normalized) => encode(method) + "&" + encode(uri) + "&" + encode(normalized);

const signedInHeader = name => name !== "realm" && name !== "oauth_signature";

// gather lists all parameters that are signed (RFC 5849 3.4.1.3.1), and the first
// rule that they break. Copies of the header's in the body are signed once.
function gather(form, query, header) {
	const list = header.filter(p => signedInHeader(p.name));
	const {pairs, error} = parseForm(query);
	let failure = null;
	for (const p of pairs) {
		if (p.name.startsWith("oauth_")) failure ??= {rule: "query-oauth", detail: printableName(p.name)};
		list.push(p);
	}
	const seen = new Set();
	for (const p of form) {
		if (!p.name.startsWith("oauth_")) {
			list.push(p);
			continue;
		}
		const rule = bodyRule(header.find(q => q.name === p.name), p, seen);
		seen.add(p.name);
		if (!rule) continue;
		failure ??= {rule, detail: printableName(p.name)};
		if (p.name !== "oauth_signature") list.push(p);
	}
	return {list, failure, error};
}

function bodyRule(inHeader, p, seen) {
	if (!inHeader) return "body-oauth-only";
	if (inHeader.value !== p.value) return "body-oauth-differs";
	return seen.has(p.name) ? "body-oauth-repeated" : "";
}

// The Authorization header

const trimSpace = text => text.replace(/^[ \t]+|[ \t]+$/g, "");
const hasControl = text => /[\u0000-\u001f\u007f]/.test(text);

// parseAuthorization returns {pairs, failure}: the pairs before the first broken
// one even if it fails.
export function parseAuthorization(header) {
	const {pairs, failure} = parsePairs(header);
	return {pairs, failure: failure ?? checkPairs(pairs)};
}

function parsePairs(header) {
	const text = trimSpace(header), pairs = [];
	if (text === "") return {pairs, failure: {rule: "authorization-missing", detail: ""}};
	let [scheme, rest] = cut(text, " ");
	if (scheme.toLowerCase() !== "oauth") return {pairs, failure: {rule: "scheme", detail: ""}};
	for (rest = trimSpace(rest); rest !== ""; rest = trimSpace(rest)) {
		if (rest[0] === ",") {
			rest = rest.slice(1);
			continue;
		}
		const pair = parsePair(rest, pairs.length + 1);
		if (pair.failure) return {pairs, failure: pair.failure};
		rest = pair.rest;
		const rule = headerRule(pair, pairs);
		if (rule) return {pairs, failure: rule};
		pairs.push({name: pair.name, value: pair.value});
	}
	return {pairs, failure: null};
}

function headerRule({name}, earlier) {
	if (earlier.some(p => p.name === name)) return {rule: "parameter-repeated", detail: printableName(name)};
	if (earlier.length === oauthPairsMax) return {rule: "header-malformed", detail: "too many parameters"};
	if (name !== "realm" && !name.startsWith("oauth_")) return {rule: "parameter-unknown", detail: printableName(name)};
	return null;
}

// parsePair decodes the parameter that text begins with: {name, value, rest} or {failure}.
function parsePair(text, position) {
	let name = "";
	const malformed = problem => ({failure: {rule: "header-malformed",
		detail: "parameter " + (printableName(name) || "number " + position) + ": " + problem}});
	const [rawName, after, found] = cut(text, "=");
	if (!found || /[",]/.test(rawName)) return malformed("no =");
	const decoded = decodePercent(trimSpace(rawName));
	if (decoded.problem) return malformed(decoded.problem);
	name = decoded.text.toLowerCase() === "realm" ? "realm" : decoded.text;
	const {raw, rest, problem} = cutValue(trimSpace(after));
	if (problem) return malformed(problem);
	if (name === "realm") return {name, value: raw, rest};
	const value = decodePercent(raw);
	if (value.problem) return malformed(value.problem);
	if (raw.includes("\\")) return malformed("a backslash");
	if (name !== "oauth_signature" && hasControl(value.text)) return malformed("a control character");
	return {name, value: value.text, rest};
}

function cutValue(text) {
	const unfinished = {problem: "no comma before the next parameter"};
	if (text[0] !== '"') {
		const [value, rest] = cut(text, ",");
		const raw = trimSpace(value);
		return /[ \t"]/.test(raw) ? unfinished : {raw, rest, problem: ""};
	}
	let end = 1;
	while (end < text.length && text[end] !== '"') end += text[end] === "\\" ? 2 : 1;
	if (end >= text.length) return {problem: "no closing quote"};
	const rest = trimSpace(text.slice(end + 1));
	if (rest !== "" && rest[0] !== ",") return unfinished;
	return {raw: text.slice(1, end), rest: rest.slice(1), problem: ""};
}

const required = ["oauth_consumer_key", "oauth_signature_method", "oauth_signature", "oauth_timestamp", "oauth_nonce"];

// valueOf is the first value of a name, or undefined.
export const valueOf = (pairs, name) => pairs.find(p => p.name === name)?.value;

function checkPairs(pairs) {
	for (const name of required) {
		if (!valueOf(pairs, name)) return {rule: "parameter-missing", detail: name};
	}
	const method = valueOf(pairs, "oauth_signature_method"), sent = valueOf(pairs, "oauth_version");
	if (method !== signatureMethod) return {rule: "signature-method", detail: printableName(method)};
	if (sent !== undefined && sent !== version) return {rule: "version", detail: ""};
	if (!isTimestamp(valueOf(pairs, "oauth_timestamp"))) return {rule: "timestamp", detail: ""};
	return null;
}

// isTimestamp accepts positive decimal integers of 63 bits without leading zeros.
const isTimestamp = text => /^[1-9][0-9]{0,18}$/.test(text) && BigInt(text) < 1n << 63n;

// oauthPairs are the parameters of the header but the signature, for a request to sign.
export const oauthPairs = ({login, nonce, timestamp}) => [
	{name: "oauth_consumer_key", value: login},
	{name: "oauth_nonce", value: nonce},
	{name: "oauth_signature_method", value: signatureMethod},
	{name: "oauth_timestamp", value: timestamp},
	{name: "oauth_version", value: version},
];

// prepare makes everything of a request that needs no key: {pairs, normalized,
// base, failure}. pairs are the header's; base is "" if there is no usable URL.
export function prepare(request, credentials) {
	const pairs = oauthPairs(credentials);
	const failure = checkPairs([...pairs, {name: "oauth_signature", value: "to be made"}]) ??
		controlIn(pairs);
	const uri = parseURL(request.method, request.url);
	const gathered = gather(request.form, uri.query ?? "", pairs);
	const normalized = normalize(gathered.list.sort(comparePairs));
	return {pairs, normalized, base: uri.failure ? "" : joinBase(request.method.toUpperCase(), uriText(uri), normalized),
		failure: failure ?? uri.failure ?? queryFailure(gathered.error) ?? gathered.failure};
}

function controlIn(pairs) {
	const p = pairs.find(p => hasControl(p.value));
	return p ? {rule: "header-malformed", detail: "parameter " + p.name + ": a control character or not UTF-8"} : null;
}

const queryFailure = error => error ? {rule: "url", detail: "query: " + error} : null;

// authorization writes the header's value; signature is base64.
export function authorization(pairs, signature) {
	const all = [...pairs, {name: "oauth_signature", value: signature}].sort((a, b) => order(a.name, b.name));
	return "OAuth " + all.map(p => p.name + '="' + encode(p.value) + '"').join(", ");
}

// Checking

// base64Bytes decodes standard base64 with padding, lines allowed; null if it is none.
export function base64Bytes(text) {
	const joined = text.replace(/[\r\n]/g, "");
	if (!/^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$/.test(joined)) return null;
	return Uint8Array.from(atob(joined), c => c.charCodeAt(0));
}

export const base64 = bytes => btoa(String.fromCharCode(...new Uint8Array(bytes)));

// explain checks a request {method, url, form, authorization} as sign.Explain
// does. keys are public keys of key.js; the rules up to the key need none. The
// report has failure (null if the signature is good), pairs, uri, list, params,
// normalized, base and key, the one that has signed.
export async function explain(request, keys) {
	const {pairs, failure: headerFailure} = parseAuthorization(request.authorization);
	const uri = parseURL(request.method, request.url);
	const gathered = gather(request.form, uri.query ?? "", pairs);
	const list = gathered.list.sort(comparePairs);
	const report = {pairs, uri: uri.failure ? null : uri, list, normalized: normalize(list), base: "", key: null,
		params: params(list, pairs, parseForm(uri.query ?? "").pairs, request.form),
		failure: headerFailure ?? uri.failure ?? queryFailure(gathered.error) ?? gathered.failure};
	if (uri.failure) return report;
	report.base = joinBase(request.method.toUpperCase(), uriText(uri), report.normalized);
	if (!report.failure) Object.assign(report, await verify(report.base, valueOf(pairs, "oauth_signature"), keys));
	return report;
}

// params lists all parameters as received; one that was signed once is marked once.
function params(signed, header, query, form) {
	const left = [...signed], all = [];
	const add = (source, pairs) => {
		for (const p of pairs) {
			const i = source === "header" && !signedInHeader(p.name) ? -1 : left.findIndex(q => q.name === p.name && q.value === p.value);
			if (i >= 0) left.splice(i, 1);
			all.push({...p, source, signed: i >= 0});
		}
	};
	add("header", header);
	add("query", query);
	add("body", form);
	return all;
}

const algorithm = {name: "RSASSA-PKCS1-v1_5", hash: "SHA-256"};

async function verify(base, text, keys) {
	const signature = base64Bytes(text);
	if (!signature) return {failure: {rule: "signature-base64", detail: ""}};
	let failure = {rule: "key", detail: ""};
	for (const key of keys) {
		const size = Math.ceil(key.bits / 8);
		if (size !== signature.length) {
			if (failure.rule === "key") {
				failure = {rule: "signature-length", detail: `it has ${signature.length} bytes, the key wants ${size}`};
			}
			continue;
		}
		if (await matches(key, signature, base)) return {failure: null, key};
		failure = {rule: "signature-mismatch", detail: ""};
	}
	return {failure};
}

// matches tells whether a signature belongs to a text. Another padding or hash
// than the right one finds out what a client does wrong.
export async function matches(key, signature, text, padding = algorithm.name, hash = algorithm.hash, saltLength = 32) {
	const imported = await crypto.subtle.importKey("spki", key.spki, {name: padding, hash}, false, ["verify"]);
	return crypto.subtle.verify({name: padding, saltLength}, imported, signature, utf8.encode(text));
}

// signText returns the RSA-SHA256 signature of a text as bytes; key is a CryptoKey.
export const signText = async (key, text) => new Uint8Array(await crypto.subtle.sign(algorithm, key, utf8.encode(text)));

// The SHA-1 control of old commands

export const sha1 = async text => hex(await crypto.subtle.digest("SHA-1", utf8.encode(text)));
