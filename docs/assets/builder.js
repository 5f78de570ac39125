// The request builder. The private key is read into a CryptoKey that cannot be
// exported and stays in this page: it is in no request, no storage and no
// address. Only send, signUp and show talk to the network, each to one address of
// this gateway; the page's Content-Security-Policy allows no other.

import {minorUnits, problemOf} from "./fields.js";
import {generate, readPrivateKey} from "./key.js";
import {programs} from "./samples.js";
import {authorization, base64, encodeForm, hex, parseURL, prepare, sha1, signText, uriText} from "./sign.js";
import {keySentence, make, speaker, table} from "./words.js";

const at = id => document.getElementById(id);
const readData = from => JSON.parse(from.getElementById("data").textContent);

let data = readData(document);
const say = speaker(data.words);

// What the page knows besides its fields. Nothing of it is stored.
const state = {
	key: null, // {private, public}
	keyError: null,
	endpoint: data.endpoint,
	group: data.group,
	reply: {}, // fields of the last one, for the commands that go on from it
	made: null, // what is shown, ready to be sent
};

/* Fields */

const rows = () => data.fields.filter(f => f.role !== "control");
const inputOf = name => at("f-" + name);
const valueOf = name => inputOf(name)?.value ?? "";

function random(bytes) {
	return hex(crypto.getRandomValues(new Uint8Array(bytes)));
}

const freshOrder = () => "order-" + random(5);

// fillExample gives every field of the example its sample, and the others what
// the last reply knows of them.
function fill(example) {
	for (const f of rows()) {
		const known = data.carried[f.name] && state.reply[data.carried[f.name]];
		let value = example ? f.sample : "";
		if (f.fresh) value = freshOrder();
		if (f.role === "login") value = at("login").value;
		inputOf(f.name).value = known || value;
	}
}

function setUpFields() {
	at("url").value = target("endpoint");
	fill(true);
	at("targets").replaceChildren(...["endpoint", data.byGroup && state.group && "group"].filter(Boolean).map(by =>
		make("button", {type: "button", className: "button small", onclick() {
			at("url").value = target(by);
			update();
		}}, by === "group" ? say("byGroup") : say("byEndpoint"))));
	at("example").onclick = () => { fill(true); update(); };
	at("clear").onclick = () => { fill(false); update(); };
	for (const button of document.querySelectorAll("[data-fresh]")) {
		button.onclick = () => {
			inputOf(button.dataset.fresh).value = freshOrder();
			update();
		};
	}
	for (const f of rows()) {
		inputOf(f.name).addEventListener("input", update);
		if (f.values) listValues(f);
	}
	for (const part of document.querySelectorAll(".for-oauth")) part.hidden = data.auth !== "oauth";
	for (const part of document.querySelectorAll(".for-control")) part.hidden = data.auth !== "control";
}

// listValues offers the values of a kind that has a list.
function listValues(f) {
	const id = "v-" + f.kind;
	if (!at(id)) at("command-part").append(make("datalist", {id}, ...f.values.map(value => make("option", {value}))));
}

const target = by => data.base + "/api/" + data.command + (by === "group" ? "/group/" + state.group : "/" + state.endpoint);

// checkFields shows the problem of each field, and returns the first.
function checkFields() {
	let first = "";
	for (const f of rows()) {
		const problem = problemOf(f, valueOf(f.name)) ?? amountProblem(f);
		const sentence = problem ? problemSentence(problem) : "";
		show("p-" + f.name, sentence);
		if (sentence) inputOf(f.name).setAttribute("aria-invalid", "true");
		else inputOf(f.name).removeAttribute("aria-invalid");
		if (sentence) first ||= f.name + ": " + sentence;
	}
	const broken = data.ties.map(brokenTie);
	for (const [i, item] of [...at("ties")?.children ?? []].entries()) item.classList.toggle("broken", !!broken[i]);
	return first || broken.find(Boolean) || "";
}

function problemSentence({code, number}) {
	const key = "problem." + code;
	return Object.hasOwn(data.words, key) ? say(key, {n: number}) : say("problem.other");
}

function amountProblem(f) {
	if (f.name !== data.amount || valueOf(f.name) === "" || valueOf(data.currency) === "") return null;
	return minorUnits(valueOf(f.name), valueOf(data.currency), data.exponents).problem ?? null;
}

function brokenTie(tie) {
	const count = tie.params.filter(name => valueOf(name) !== "").length;
	const wrong = tie.tie === "one of" ? count !== 1 : tie.tie === "not both" ? count > 1 : false;
	return wrong ? say("tie." + tie.tie, {names: tie.params.join(", ")}) : "";
}

const formPairs = () => rows().map(f => ({name: f.name, value: valueOf(f.name)})).filter(p => p.value !== "");

/* Showing */

function show(id, text) {
	const element = at(id);
	if (element.textContent !== text) element.textContent = text;
	if (element.classList.contains("problem") || element.classList.contains("note")) element.hidden = text === "";
}

const output = (id, text) => { at(id).querySelector("code").textContent = text; };

let turn = 0; // of the newest update: what an older one made is not shown

async function update() {
	const mine = ++turn;
	at("builder").setAttribute("aria-busy", "true");
	const url = at("url").value.trim(), uri = parseURL("POST", url);
	const problem = checkFields();
	show("url-problem", uri.failure ? ruleText(uri.failure) : "");
	const made = data.auth === "oauth" ? await makeSigned(url) : await makeControlled(url, uri);
	if (mine !== turn) return;
	made.output();
	state.made = {...made.request, uri};
	writePrograms(made, uri);
	const blocked = uri.failure ? "" : foreign(uri) ? say("notThisGateway") : "";
	show("blocked", blocked);
	at("send").disabled = !!blocked || !!uri.failure || !made.request.ready;
	show("send-hint", problem ? say("wrong", {what: problem}) : !made.request.ready && made.request.lacks ? made.request.lacks : say("sendHint"));
	showMoment();
	at("builder").setAttribute("aria-busy", "false");
}

const ruleText = ({rule, detail}) => data.rules[rule] + (detail ? " (" + detail + ")" : "");

async function makeSigned(url) {
	const form = formPairs(), credentials = {login: at("login").value, nonce: at("nonce").value, timestamp: at("timestamp").value};
	const prepared = prepare({method: "POST", url, form}, credentials);
	const body = encodeForm(form);
	let signature = null;
	if (prepared.base && !prepared.failure && state.key) signature = await signText(state.key.private, prepared.base);
	const header = signature ? authorization(prepared.pairs, base64(signature)) : "";
	return {
		request: {url, body, header, ready: !!header, lacks: prepared.failure ? ruleText(prepared.failure) : say("noKeyYet")},
		form, sum: null,
		output() {
			output("out-normalized", prepared.normalized);
			output("out-base", prepared.base);
			output("out-body", body);
			output("out-header", header);
			output("out-hex", signature ? hex(signature) : "");
			output("out-base64", signature ? base64(signature) : "");
			const moment = prepared.failure && prepared.failure.rule !== "url" ? ruleText(prepared.failure) : "";
			show("moment-problem", moment);
		},
	};
}

async function makeControlled(url, uri) {
	const form = formPairs(), sum = sumParts(uri), text = sum.map(s => s.value).join("");
	const key = at("control-key").value, shown = at("show-key").checked;
	const control = key && crypto.subtle ? await sha1(text + key) : "";
	const all = control ? [...form, {name: data.control, value: control}] : form;
	const body = encodeForm(all);
	return {
		request: {url, body, header: "", ready: !!control, lacks: say("controlKeyHint")},
		form, sum,
		output() {
			output("out-text", text + (shown ? key : "•".repeat(key.length)));
			at("formula").textContent = say("formula", {parts: sum.map(s => s.name ?? s.label).join(" + ")});
			output("out-control", control);
			output("out-body", body);
		},
	};
}

// sumParts are the values of a control sum: {name} of the form, or {label} of the
// two that are none.
function sumParts(uri) {
	return data.sum.map(part => {
		if (part === data.sumID) return {label: part, value: uri.failure ? "" : uri.path.split("/").pop()};
		if (part === data.sumMinor) {
			return {label: part, value: minorUnits(valueOf(data.amount), valueOf(data.currency), data.exponents).minor ?? ""};
		}
		return {name: part, value: valueOf(part)};
	});
}

function writePrograms(made, uri) {
	const url = uri.failure ? made.request.url : uriText(uri); // as it stands in the base string; parameters are in the body
	for (const p of programs) {
		output("program-" + p.id, p.write({url, login: at("login").value, form: made.form, sum: made.sum}));
	}
}

function showMoment() {
	const seconds = Number(at("timestamp").value);
	const date = new Date(seconds * 1000);
	show("moment", seconds > 0 && !Number.isNaN(date.getTime()) ? date.toISOString().replace(".000", "") : "");
}

/* Keys */

async function readKey() {
	const text = at("private-key").value;
	const line = at("private-key-state");
	state.key = null;
	try {
		if (!crypto.subtle) throw Object.assign(new Error(), {sentence: say("insecure")});
		const key = await readPrivateKey(text);
		if (at("private-key").value !== text) return;
		state.key = key;
		line.className = "key-state good";
		line.textContent = say("keyIs", {bits: key.public.bits, fingerprint: key.public.fingerprint});
	} catch (error) {
		if (at("private-key").value !== text) return;
		line.className = "key-state bad";
		line.textContent = error.sentence ?? keySentence(say, error);
	}
	await update();
}

function forgetKey() {
	at("private-key").value = "";
	at("private-key-file").value = "";
	at("private-key-state").textContent = "";
	state.key = null;
	return update();
}

function downloadKey() {
	const address = URL.createObjectURL(new Blob([at("private-key").value], {type: "application/x-pem-file"}));
	make("a", {href: address, download: "merchant.key"}).click();
	setTimeout(() => URL.revokeObjectURL(address), 1000);
}

// signUp makes a key pair here and a merchant for its public half at the sandbox.
async function signUp() {
	const button = at("generate"), line = at("generate-state");
	button.disabled = true;
	line.textContent = say("generating");
	try {
		const pair = await generate(2048);
		const reply = await fetch(data.signUp, {method: "POST", body: pair.public, headers: {"Content-Type": "application/x-pem-file"},
			credentials: "omit", cache: "no-store", redirect: "error"});
		if (!reply.ok) throw new Error((await reply.text()).trim() || reply.statusText);
		const merchant = await reply.json();
		at("private-key").value = pair.private;
		at("login").value = merchant.login;
		at("control-key").value = merchant.control_key;
		[state.endpoint, state.group] = [merchant.endpoint, merchant.group ?? ""];
		setUpFields();
		line.textContent = say("generated", {login: merchant.login, endpoint: merchant.endpoint});
		await readKey();
	} catch (error) {
		line.textContent = say("generateFailed", {reason: error.message});
	} finally {
		button.disabled = false;
	}
}

/* Sending */

const apiPath = () => data.context + "/api/";

// foreign tells whether a URL is of another gateway: the page must not call it.
const foreign = uri => ![data.origin, location.origin].includes(uri.scheme + "://" + uri.host + uri.port) || !uri.path.startsWith(apiPath());

async function renew() {
	at("nonce").value = random(16);
	at("timestamp").value = String(Math.floor(Date.now() / 1000));
	await update();
}

async function send() {
	if (data.auth === "oauth" && !at("keep").checked) await renew();
	else await update();
	const {uri, url, body, header, ready} = state.made;
	if (!ready || uri.failure || foreign(uri)) return;
	at("send").disabled = true;
	at("reply").replaceChildren(make("p", {}, say("sending")));
	const headers = {"Content-Type": "application/x-www-form-urlencoded"};
	if (header) headers.Authorization = header;
	if (at("accept").value) headers.Accept = at("accept").value;
	const request = {method: "POST", url, authorization: header, body, timestamp: at("timestamp").value};
	try {
		const reply = await fetch(location.origin + uri.path + (uri.query ? "?" + uri.query : ""),
			{method: "POST", body, headers, credentials: "omit", cache: "no-store", redirect: "error", referrerPolicy: "no-referrer"});
		showReply(reply, await reply.text(), request);
	} catch (error) {
		at("reply").replaceChildren(make("p", {className: "note bad"}, say("networkFailed", {reason: error.message})));
	}
	await update();
}

// replyFields reads both encodings of a reply; null if it is neither.
function replyFields(text, contentType) {
	if (contentType.includes("json")) {
		return Object.entries(JSON.parse(text)).map(([name, value]) => ({name, value: String(value)}));
	}
	if (!text.startsWith("type=")) return null;
	return [...new URLSearchParams(text.replaceAll("\n", ""))].map(([name, value]) => ({name, value}));
}

function showReply(reply, text, request) {
	const fields = replyFields(text, reply.headers.get("Content-Type") ?? "");
	const parts = [make("h3", {}, say("replyTitle"), " ", make("span", {className: "badge " + (reply.ok ? "good" : "bad")}, reply.status + " " + reply.statusText))];
	if (reply.status === 403) parts.push(denied(reply, request));
	if (fields) {
		state.reply = {...state.reply, ...Object.fromEntries(fields.map(f => [f.name, f.value]))};
		parts.push(fieldTable(fields));
	}
	const raw = make("details", {open: !fields && reply.status !== 403}, make("summary", {}, say("replyRaw")),
		make("pre", {tabIndex: 0, ariaLabel: say("replyRaw"), role: "region"}, make("code", {}, text)));
	at("reply").replaceChildren(...parts, raw);
}

function fieldTable(fields) {
	const cell = value => /^https?:\/\//.test(value) ? make("a", {href: value, target: "_blank", rel: "noopener noreferrer"}, value) : value;
	return table([say("field"), say("value")], fields.map(f => [f.name, cell(f.value)]), 0);
}

// denied says what a 403 can mean for a request that this page has signed.
function denied(reply, request) {
	const items = [say("deniedLogin", {login: at("login").value})];
	if (state.key) items.push(say("deniedKey", {fingerprint: state.key.public.fingerprint}));
	const now = Date.parse(reply.headers.get("Date") ?? "") / 1000;
	if (now) items.push(say("deniedClock", {seconds: Math.abs(Math.round(now - Number(request.timestamp)))}));
	if (at("keep").checked) items.push(say("deniedNonce"));
	if (data.origin !== location.origin) items.push(say("deniedURL", {origin: data.origin}));
	return make("div", {className: "note bad"}, make("p", {}, say("denied")), make("ul", {}, ...items.map(item => make("li", {}, item))),
		make("p", {}, make("button", {type: "button", className: "button small", id: "to-checker", onclick: () => openChecker(request)}, say("openChecker"))));
}

// openChecker hands a request to the checker in a new tab, by a message: it is in
// no address and in no history. With it goes the public key, never the private.
function openChecker(request) {
	const tab = window.open(data.checker);
	const given = {...request, publicKey: state.key?.public.pem ?? ""};
	addEventListener("message", function answer(event) {
		if (event.source !== tab || event.origin !== location.origin || event.data !== "checker is ready") return;
		removeEventListener("message", answer);
		tab.postMessage(given, location.origin);
	});
}

/* Another command, on the same page: the key stays */

let wanted = location.pathname; // the newest choice: an older one that arrives late is not shown

async function showCommand(address, remember) {
	wanted = address;
	const page = await fetch(address, {credentials: "omit"});
	if (wanted !== address) return;
	if (!page.ok) {
		location.assign(address);
		return;
	}
	const other = new DOMParser().parseFromString(await page.text(), "text/html");
	if (wanted !== address) return;
	at("command-part").replaceWith(document.adoptNode(other.getElementById("command-part")));
	data = readData(document);
	document.title = other.title;
	document.querySelector("h1").textContent = other.querySelector("h1").textContent;
	for (const link of document.querySelectorAll(".languages a")) link.href = link.href.replace(/[^/]+$/, address.split("/").pop());
	at("command").value = address;
	if (remember && location.pathname !== address) history.pushState(null, "", address);
	at("reply").replaceChildren();
	setUpFields();
	await update();
}

/* Setting up */

function setUp() {
	at("insecure").hidden = !!crypto.subtle;
	at("sandbox").hidden = !data.signUp || !crypto.subtle;
	at("login").value = data.login;
	at("control-key").value = data.controlKey;
	at("command").onchange = () => showCommand(at("command").value, true);
	addEventListener("popstate", () => showCommand(location.pathname, false));
	for (const id of ["url", "nonce", "timestamp", "control-key"]) at(id).addEventListener("input", update);
	at("login").addEventListener("input", () => {
		for (const f of rows()) if (f.role === "login") inputOf(f.name).value = at("login").value;
		update();
	});
	at("show-key").onchange = update;
	at("private-key").addEventListener("input", readKey);
	at("private-key-file").onchange = async () => {
		const [file] = at("private-key-file").files;
		if (!file || file.size > 1 << 16) return;
		at("private-key").value = await file.text();
		await readKey();
	};
	at("key-forget").onclick = forgetKey;
	at("key-copy").onclick = () => navigator.clipboard.writeText(at("private-key").value).catch(() => at("private-key").select());
	at("key-download").onclick = downloadKey;
	at("generate").onclick = signUp;
	at("nonce-new").onclick = () => { at("nonce").value = random(16); update(); };
	at("timestamp-new").onclick = () => { at("timestamp").value = String(Math.floor(Date.now() / 1000)); update(); };
	at("send").onclick = send;
	// Whoever comes back finds no key, neither in the field nor in a page that the browser has kept.
	addEventListener("pagehide", () => { at("private-key").value = ""; at("control-key").value = ""; state.key = null; });
	addEventListener("pageshow", event => { if (event.persisted) forgetKey(); });
	setUpFields();
	renew();
}

setUp();
