// The signature checker: a failing request in, the first rule that it breaks out.
// Nothing is sent; the page's Content-Security-Policy leaves no way to.

import {check, firstDifference} from "./diagnosis.js";
import {readPublicKey} from "./key.js";
import {readRequest} from "./request.js";
import {encode, valueOf} from "./sign.js";
import {keySentence, make, speaker, table} from "./words.js";

const at = id => document.getElementById(id);
const data = JSON.parse(at("data").textContent);
const say = speaker(data.words);
const fields = ["method", "url", "authorization", "body", "public-key", "own-base"];

let several = false; // the pasted request has more than one Authorization header

const problem = (id, text) => {
	at(id).textContent = text;
	at(id).hidden = text === "";
};

/* Reading */

function readRaw() {
	const hosts = {[data.origin.replace(/^https?:\/\//, "").toLowerCase()]: data.origin};
	const request = readRequest(at("raw").value, hosts);
	problem("raw-problem", request.problem ? say("read." + request.problem) : "");
	if (request.problem) return;
	for (const name of ["method", "url", "authorization", "body"]) at(name).value = request[name];
	several = request.several;
	return judge();
}

// keyOf reads the pasted public key and says what is wrong with it.
async function keyOf() {
	const line = at("public-key-state"), text = at("public-key").value;
	if (text.trim() === "") {
		line.textContent = "";
		return [];
	}
	try {
		const key = await readPublicKey(text);
		line.className = "key-state good";
		line.textContent = say("keyIs", key);
		return [key];
	} catch (error) {
		if (error.code === "private") at("public-key").value = ""; // it has no business here
		line.className = "key-state bad";
		line.textContent = keySentence(say, error);
		return [];
	}
}

/* Judging */

let turn = 0; // of the newest judgement: what an older one found is not shown

async function judge() {
	const mine = ++turn;
	at("verdict").setAttribute("aria-busy", "true");
	const keys = crypto.subtle ? await keyOf() : [];
	const request = {method: at("method").value.trim(), url: at("url").value.trim(), authorization: headerValue(at("authorization").value), body: bodyText()};
	if (!request.url && !request.authorization && !request.body) {
		show(mine, [make("p", {className: "quiet"}, say("checkEmpty"))], null);
		return;
	}
	const theirs = at("own-base").value.replace(/\r?\n$/, "");
	const found = await check(request, keys, theirs, data.origin);
	if (found.formError) {
		show(mine, [make("p", {className: "note bad"}, say("formError", {error: found.formError}))], null);
		return;
	}
	const parts = [];
	const control = controlCommand(request.url);
	if (control && !request.authorization) parts.push(controlNote(control));
	if (several) parts.push(make("p", {className: "note bad"}, say("several")));
	parts.push(...verdict(found.report, keys), ...comparison(found, theirs), ...moment(found.report));
	show(mine, parts, found.report);
}

// headerValue takes the header's name off, and joins its lines.
const headerValue = text => text.replace(/^\s*authorization\s*:\s*/i, "").replace(/\s*\r?\n\s*/g, " ").trim();
const bodyText = () => at("body").value.replace(/\r?\n$/, "");

// controlCommand is the path of the command, if it is not signed.
function controlCommand(url) {
	const path = url.replace(/^https?:\/\/[^/]*/i, "").split(/[?#]/)[0];
	if (!path.startsWith(data.context + "/api/")) return "";
	const command = path.slice((data.context + "/api/").length).split("/").slice(0, 2).join("/");
	return Object.hasOwn(data.controls, command) ? command : "";
}

const controlNote = command => make("p", {className: "note warn"}, make("a", {href: data.controls[command]}, say("isControl", {command})));

// verdict tells the first broken rule, or that none is.
function verdict(report, keys) {
	const {failure} = report;
	if (!failure) return [make("p", {className: "note good"}, say("good")), make("p", {className: "remark"}, say("afterGood"))];
	if (failure.rule === "key" && keys.length === 0) return [make("p", {className: "note"}, say("goodSoFar"))];
	return [make("div", {className: "note bad"}, make("p", {}, make("strong", {}, say("firstRule")), " ", make("code", {id: "rule"}, failure.rule)),
		make("p", {}, data.rules[failure.rule] + (failure.detail ? " (" + failure.detail + ")" : "")))];
}

/* Two base strings */

function comparison(found, theirs) {
	const {report, comparison: compared, guess} = found, parts = [];
	const cause = compared?.cause ? compared : guess;
	const other = theirs || guess?.base || "";
	if (compared && compared.at < 0) parts.push(make("p", {className: "note"}, say("baseSame")));
	if (cause) parts.push(make("h3", {}, say("probably")), make("p", {id: "cause"}, causeSentence(cause)));
	else if (compared?.facts.length) parts.push(make("h3", {}, say("facts")), make("ul", {id: "facts"}, ...compared.facts.map(f => make("li", {}, factSentence(f)))));
	else if (report.failure?.rule === "signature-mismatch" && !compared) parts.push(make("p", {id: "cause"}, say("cause.unknown")));
	if (other && report.base && other !== report.base) parts.push(...alignment(report.base, other));
	return parts;
}

function causeSentence({cause, detail}) {
	const own = "cause." + cause + "." + detail;
	return Object.hasOwn(data.words, own) ? say(own, {origin: data.origin}) : say("cause." + cause, {detail});
}

const factSentence = ({fact, name, ours, theirs}) => say("fact." + fact, {name, ours, theirs});

const around = 28; // characters shown on each side of the difference

function alignment(right, theirs) {
	const place = firstDifference(right, theirs), from = Math.max(0, place - around);
	const line = text => {
		const cut = text.slice(place + 1, place + 1 + around);
		return make("pre", {}, (from > 0 ? "…" : "") + text.slice(from, place), make("mark", {}, text[place] ?? say("endOfText")), cut,
			text.length > place + 1 + around ? "…" : "");
	};
	const row = (name, text) => [make("dt", {}, name), make("dd", {}, line(text))];
	return [make("p", {id: "differs"}, say("baseDiffers", {at: place + 1})),
		make("div", {className: "alignment", tabIndex: 0, role: "region", ariaLabel: say("baseDiffers", {at: place + 1})},
			make("dl", {}, make("div", {}, ...row(say("rightBase"), right), ...row(say("yourBase"), theirs))))];
}

/* The clock */

function moment(report) {
	const seconds = Number(valueOf(report.pairs, "oauth_timestamp"));
	const date = new Date(seconds * 1000);
	if (!data.window || !(seconds > 0) || Number.isNaN(date.getTime())) return [];
	const off = Math.abs(Math.round(Date.now() / 1000) - seconds);
	if (off <= data.window) return [make("p", {className: "remark"}, say("clockFine"))];
	return [make("p", {className: "note warn", id: "clock"}, say("clockOff",
		{distance: span(off), accepted: span(data.window), moment: date.toISOString().replace(".000", "")}))];
}

// span writes seconds in the greatest unit of which there are two.
function span(seconds) {
	const [unit, size] = [["days", 86400], ["hours", 3600], ["minutes", 60], ["seconds", 1]].find(([, s]) => seconds >= 2 * s || s === 1);
	return say(unit, {n: Math.round(seconds / size)});
}

/* Showing */

function show(mine, parts, report) {
	if (mine !== turn) return;
	at("verdict").replaceChildren(...parts);
	at("out-base").querySelector("code").textContent = report?.base ?? "";
	at("out-normalized").querySelector("code").textContent = report?.normalized ?? "";
	at("parameters").replaceChildren(...report?.params.length ? [parameterTable(report.params)] : []);
	at("verdict").setAttribute("aria-busy", "false");
}

const parameterTable = params => table([say("source"), say("field"), say("value"), say("signed")], params.map(p =>
	[say("source." + p.source), p.name, make("code", {}, encode(p.value)), p.signed ? say("yes") : say("no")]), 1, say("parameters"));

/* Setting up */

at("insecure").hidden = !!crypto.subtle;
at("raw").addEventListener("input", readRaw);
for (const id of fields) {
	at(id).addEventListener("input", () => {
		if (id === "authorization") several = false;
		return judge();
	});
}

// A builder that was answered with 403 hands its request over.
addEventListener("message", event => {
	if (event.origin !== location.origin || event.source !== window.opener || !event.data?.url) return;
	for (const name of ["method", "url", "authorization", "body"]) at(name).value = event.data[name];
	at("public-key").value = event.data.publicKey;
	judge();
});
window.opener?.postMessage("checker is ready", location.origin);
judge();
