// What a client probably does wrong when its signature does not belong to the
// request. Each mistake that is known from practice makes a base string of its
// own: the one that equals the client's base string, or that its signature
// belongs to, is the cause.

import {base64Bytes, comparePairs, encode, explain, joinBase, matches, normalize, parseForm, uriText, valueOf} from "./sign.js";

const byReceived = list => list;
const lower = text => text.replace(/%[0-9A-F]{2}/g, c => c.toLowerCase());
const plus = text => encode(text).replaceAll("%20", "+");
const component = text => encodeURIComponent(text);
const tilde = text => encode(text).replaceAll("~", "%7E");

// written makes normalised parameters with another way to encode or to sort.
const written = (list, how = encode, sort = list => [...list].sort(comparePairs)) =>
	sort(list).map(p => how(p.name) + "=" + how(p.value)).join("&");

const compare = (a, b) => a < b ? -1 : a > b ? 1 : 0;
const withoutValue = list => list.filter(p => p.value !== "");
const once = list => list.filter((p, i) => list.findIndex(q => q.name === p.name && q.value === p.value) === i);
const decodeAgain = text => { try { return decodeURIComponent(text.replaceAll("+", " ")); } catch { return text; } };
const changed = (list, change) => list.map(p => ({name: p.name, value: change(p.value)}));

// wrongOrders are ways to sort that are not RFC 5849's.
const wrongOrders = {
	"unsorted": byReceived,
	"sorted-by-case": list => [...list].sort((a, b) => compare(a.name.toLowerCase(), b.name.toLowerCase()) || compare(a.value, b.value)),
	"sorted-as-text": list => [...list].sort((a, b) => compare(encode(a.name) + "=" + encode(a.value), encode(b.name) + "=" + encode(b.value))),
	"sorted-before-encoding": list => [...list].sort((a, b) => compare(a.name, b.name) || compare(a.value, b.value)),
	"sorted-by-name-only": list => [...list].sort((a, b) => compare(encode(a.name), encode(b.name))),
};

// guesses lists {cause, detail, base} for one request: report is explain's of it,
// request the request itself, origin that of the gateway which shows the page. The
// first of equal base strings counts.
export function guesses(request, report, origin = "") {
	const {list, uri, pairs} = report, method = request.method.toUpperCase(), url = uriText(uri), right = report.normalized;
	const received = [...report.params.filter(p => p.signed)];
	const all = [];
	const add = (cause, base, detail = "") => all.push({cause, detail, base});
	const params = (cause, normalized, detail) => add(cause, joinBase(method, url, normalized), detail);

	add("not-encoded", encode(method) + "&" + encode(url) + "&" + right);
	params("values-not-encoded", [...list].sort(comparePairs).map(p => p.name + "=" + p.value).join("&"));
	params("encoded-twice", written(changed(list, encode)));
	params("encoded-twice", written(list, t => encode(encode(t))));
	params("plus", written(list, plus));
	add("plus-outside", encode(method) + "&" + encode(url) + "&" + plus(right));
	add("lower-hex", lower(joinBase(method, url, right)));
	params("lower-hex", written(list, t => lower(encode(t))));
	params("component", written(list, component));
	add("component", [method, url, written(list, component)].map(component).join("&"));
	params("tilde", written(list, tilde));
	add("tilde", [method, url, written(list, tilde)].map(tilde).join("&"));
	params("decoded-twice", written(changed(list, decodeAgain)));
	params("trimmed", written(changed(list, t => t.trim())));
	params("raw-body", rawParams(request, report));
	for (const [cause, sort] of Object.entries(wrongOrders)) {
		params(cause, written(cause === "unsorted" ? received : list, encode, sort));
	}
	params("unsorted", written([...received].reverse(), encode, byReceived));
	params("unsorted", written([...received.filter(p => p.source !== "header"), ...received.filter(p => p.source === "header")], encode, byReceived));

	for (const m of [request.method, method.toLowerCase(), "GET", "PUT"]) add("method", joinBase(m, url, right), m);
	if (origin) add("url", joinBase(method, origin.toLowerCase() + uri.path, right), "origin");
	for (const [detail, u] of otherURLs(uri, request.url)) add("url", joinBase(method, u, right), detail);

	for (const p of once(list)) params("missing", normalize(list.filter(q => q.name !== p.name)), p.name);
	params("empty-left-out", normalize(withoutValue(list)));
	params("duplicates-once", normalize(once(list)));
	params("body-left-out", normalize(list.filter(p => pairs.includes(p))));
	params("query-left-out", normalize(received.filter(p => p.source !== "query").sort(comparePairs)));
	params("oauth-left-out", normalize(list.filter(p => !p.name.startsWith("oauth_"))));
	for (const name of ["realm", "oauth_token", "oauth_signature", "oauth_version"]) {
		const value = {oauth_token: "", oauth_signature: "", oauth_version: "1.0"}[name] ?? valueOf(pairs, name);
		if (value !== undefined && !list.some(p => p.name === name)) {
			params("too-much", normalize([...list, {name, value}].sort(comparePairs)), name);
		}
	}
	return all.filter((g, i) => g.base !== report.base && all.findIndex(h => h.base === g.base) === i);
}

// rawParams are the parameters as they stand in the body and query, not decoded
// and encoded anew.
function rawParams(request, report) {
	const raw = text => text.split("&").filter(s => s).map(s => s.includes("=") ? s : s + "=");
	const header = report.pairs.filter(p => p.name !== "realm" && p.name !== "oauth_signature").map(p => encode(p.name) + "=" + encode(p.value));
	return [...header, ...raw(request.body ?? ""), ...raw(report.uri.query)].sort((a, b) =>
		compare(a.split("=")[0], b.split("=")[0]) || compare(a, b)).join("&");
}

// otherURLs are [what, URL] of addresses that clients sign instead.
function otherURLs(uri, sent) {
	const other = change => uriText({...uri, ...change});
	const port = uri.scheme === "https" ? ":443" : ":80";
	const flipped = uri.scheme === "https" ? "http" : "https";
	return [
		["query", other({path: uri.path + "?" + uri.query})],
		["default-port", other({port: uri.port || port})],
		["no-port", other({port: ""})],
		["as-typed", other({host: uri.sentHost, port: uri.sentPort})],
		["scheme", other({scheme: flipped})],
		["scheme", other({scheme: flipped, port: ""})],
		["slash", other({path: uri.path + "/"})],
		["slash", other({path: uri.path.replace(/\/$/, "")})],
		["path-only", uri.path],
		["no-path", uri.scheme + "://" + uri.host + uri.port],
		["path-encoded", other({path: decodeAgain(uri.path)})],
		["sent", sent],
	];
}

// otherSignatures are [what, padding, hash] that belong to the right base string.
const otherSignatures = [
	["sha1", "RSASSA-PKCS1-v1_5", "SHA-1"], ["sha512", "RSASSA-PKCS1-v1_5", "SHA-512"], ["sha384", "RSASSA-PKCS1-v1_5", "SHA-384"],
	["pss", "RSA-PSS", "SHA-256", 32], ["pss", "RSA-PSS", "SHA-256", 0], ["pss", "RSA-PSS", "SHA-256", -1],
];

// bySignature finds the mistake whose base string the signature belongs to, or null.
export async function bySignature(request, report, key, origin) {
	const signature = base64Bytes(valueOf(report.pairs, "oauth_signature") ?? "");
	if (!signature || signature.length !== Math.ceil(key.bits / 8)) return null;
	for (const g of guesses(request, report, origin)) {
		if (await matches(key, signature, g.base)) return g;
	}
	for (const [detail, padding, hash, salt] of otherSignatures) {
		const saltLength = salt === -1 ? Math.ceil((key.bits - 1) / 8) - 34 : salt;
		if (await matches(key, signature, report.base, padding, hash, saltLength)) return {cause: "signature-kind", detail, base: report.base};
	}
	for (const hash of ["hex", "base64"]) {
		const digest = new Uint8Array(await crypto.subtle.digest("SHA-256", new TextEncoder().encode(report.base)));
		const text = hash === "hex" ? Array.from(digest, b => b.toString(16).padStart(2, "0")).join("") : btoa(String.fromCharCode(...digest));
		if (await matches(key, signature, text)) return {cause: "signature-kind", detail: "hashed-twice", base: report.base};
	}
	return null;
}

// byBaseString compares the client's base string with the right one: {at, cause,
// detail, facts}. at is the first place that differs, -1 if none does; facts tell
// what differs, part by part.
export function byBaseString(theirs, request, report, origin) {
	const at = firstDifference(theirs, report.base);
	if (at < 0) return {at, cause: "", detail: "", facts: []};
	const known = guesses(request, report, origin).find(g => g.base === theirs);
	return {at, cause: known?.cause ?? "", detail: known?.detail ?? "", facts: known ? [] : differences(theirs, report)};
}

export function firstDifference(a, b) {
	if (a === b) return -1;
	let i = 0;
	while (i < a.length && i < b.length && a[i] === b[i]) i++;
	return i;
}

// differences are {fact, ours, theirs} and {fact, name} of parameters.
function differences(theirs, report) {
	const parts = theirs.trim().split("&"), right = report.base.split("&"), facts = [];
	if (theirs !== theirs.trim()) facts.push({fact: "blank"});
	if (parts.length !== 3) return [...facts, {fact: "parts", theirs: String(parts.length)}];
	const decoded = text => { try { return decodeURIComponent(text); } catch { return text; } };
	for (const [i, fact] of ["method", "url"].entries()) {
		if (parts[i] !== right[i]) facts.push({fact, ours: decoded(right[i]), theirs: decoded(parts[i])});
	}
	const left = parseForm(decoded(parts[2])).pairs.map(p => ({...p}));
	for (const p of report.list) {
		const i = left.findIndex(q => q.name === p.name && q.value === p.value);
		if (i >= 0) {
			left.splice(i, 1);
			continue;
		}
		const j = left.findIndex(q => q.name === p.name);
		if (j < 0) facts.push({fact: "lacks", name: p.name});
		else facts.push({fact: "value", name: p.name, ours: p.value, theirs: left.splice(j, 1)[0].value});
	}
	return [...facts, ...left.map(p => ({fact: "adds", name: p.name}))];
}

// check does everything for a request {method, url, body, authorization}: it
// returns explain's report with formError, and cause and detail if they are found.
export async function check(request, keys, theirs, origin) {
	const {pairs, error} = parseForm(request.body);
	if (error) return {formError: error};
	const report = await explain({...request, form: pairs}, keys);
	const found = {report, formError: "", comparison: null, guess: null};
	if (report.base && theirs) found.comparison = byBaseString(theirs, request, report, origin);
	if (report.failure?.rule === "signature-mismatch" && !found.comparison?.cause) {
		found.guess = await bySignature(request, report, keys[0], origin);
	}
	return found;
}
