// Reading a request as people have it at hand: a raw HTTP message from a log, or
// a curl command from a terminal. The result is {method, url, authorization,
// body, several}, or {problem}, a code that the page has a text for.

// readRequest tells which of the two a text is. hosts maps known hosts, such as
// this install's, to the origin that clients call; others get https, but
// loopback addresses http.
export function readRequest(text, hosts = {}) {
	const trimmed = text.replace(/^[\s$>]+/, "");
	if (trimmed === "") return {problem: "empty"};
	return /^curl(\.exe)?\s/.test(trimmed) ? readCurl(trimmed) : readHTTP(text.trimStart(), hosts);
}

// HTTP

function readHTTP(text, hosts) {
	const unified = text.replace(/\r\n/g, "\n");
	const blank = unified.indexOf("\n\n");
	const head = (blank < 0 ? unified : unified.slice(0, blank)).split("\n");
	const body = blank < 0 ? "" : unified.slice(blank + 2).replace(/\n+$/, "");
	const line = /^([A-Za-z]+) +(\S+)(?: +HTTP\/[\d.]+)?$/.exec(head[0].trim());
	if (!line) return {problem: "no-request"};
	const headers = readHeaders(head.slice(1));
	if (!headers) return {problem: "no-headers"};
	const of = name => headers.filter(h => h.name === name).map(h => h.value);
	const [, method, target] = line;
	let url = target;
	if (!/^https?:\/\//i.test(target)) {
		const host = of("host")[0] ?? of(":authority")[0];
		if (!host) return {problem: "no-host"};
		url = (hosts[host.toLowerCase()] ?? scheme(host) + host) + target;
	}
	return {method, url, authorization: of("authorization")[0] ?? "", body, several: of("authorization").length > 1};
}

const scheme = host => /^(localhost|127\.\d+\.\d+\.\d+|\[::1\])(:\d+)?$/i.test(host) ? "http://" : "https://";

// readHeaders joins lines that are folded, as mails and old logs have them.
function readHeaders(lines) {
	const headers = [];
	for (const line of lines) {
		if (/^[ \t]/.test(line) && headers.length) {
			headers.at(-1).value += " " + line.trim();
			continue;
		}
		const parts = /^(:?[A-Za-z0-9!#$%&'*+.^_`|~-]+)\s*:\s*(.*)$/.exec(line);
		if (!parts) return null;
		headers.push({name: parts[1].toLowerCase(), value: parts[2].trim()});
	}
	return headers;
}

// curl

// Options with a value that does not matter here.
const withValue = new Set(["-o", "--output", "-m", "--max-time", "--connect-timeout", "-x", "--proxy", "-E", "--cert", "--key", "--cacert", "-w",
	"--write-out", "-b", "--cookie", "-c", "--cookie-jar", "--resolve", "--retry", "-K", "--config", "--tls-max", "--ciphers", "-T", "--upload-file"]);
const shortWithValue = "XHduAeomxEwbcKTF";

function readCurl(text) {
	const words = shellWords(text);
	if (!words) return {problem: "quotes"};
	const r = {method: "", url: "", authorization: "", body: "", several: false}, data = [];
	let get = false;
	for (let i = 1; i < words.length; i++) {
		let word = words[i], value;
		if (!word.startsWith("-") || word === "-") {
			r.url ||= word;
			continue;
		}
		const long = /^(--[a-z0-9-]+)=([\s\S]*)$/.exec(word);
		if (long) [, word, value] = long;
		else if (/^-[A-Za-z]./.test(word) && shortWithValue.includes(word[1])) [word, value] = [word.slice(0, 2), word.slice(2)];
		const next = () => value ?? words[++i] ?? "";
		if (word === "-X" || word === "--request") r.method = next();
		else if (word === "--url") r.url = next();
		else if (word === "-G" || word === "--get") get = true;
		else if (word === "-H" || word === "--header") readHeader(r, next());
		else if (["-d", "--data", "--data-ascii", "--data-binary", "--data-raw"].includes(word)) data.push(curlData(word, next()));
		else if (word === "--data-urlencode") data.push(curlEncoded(next()));
		else if (["-F", "--form", "--json"].includes(word)) return {problem: "not-form"};
		else if (withValue.has(word) || ["-u", "--user", "-A", "--user-agent", "-e", "--referer"].includes(word)) next();
	}
	if (r.url === "") return {problem: "no-url"};
	if (data.includes(null)) return {problem: "data-file"};
	if (!/^[a-z]+:\/\//i.test(r.url)) r.url = "http://" + r.url;
	const joined = data.join("&");
	if (get) r.url += (r.url.includes("?") ? "&" : "?") + joined;
	else r.body = joined;
	r.method ||= data.length && !get ? "POST" : "GET";
	return r;
}

function readHeader(r, text) {
	const value = /^authorization\s*:\s*([\s\S]*)$/i.exec(text)?.[1].trim();
	if (value === undefined) return;
	if (r.authorization) r.several = true;
	else r.authorization = value;
}

// curlData is null for data that curl reads from a file.
const curlData = (option, value) => value.startsWith("@") && option !== "--data-raw" ? null : value;

// curlEncoded does what curl does with "content", "=content" and "name=content".
function curlEncoded(value) {
	const at = value.indexOf("=");
	const encode = text => encodeURIComponent(text).replace(/[!'()*]/g, c => "%" + c.charCodeAt(0).toString(16).toUpperCase());
	if (at < 0 && value.includes("@")) return null;
	return at <= 0 ? encode(value.slice(at + 1)) : value.slice(0, at + 1) + encode(value.slice(at + 1));
}

const escapes = {n: "\n", r: "\r", t: "\t", "\\": "\\", "'": "'", '"': '"', a: "\x07", b: "\b", e: "\x1b", f: "\f", v: "\v", "?": "?"};

// shellWords splits a command as a POSIX shell does, with $'...' of bash; null if
// a quote is not closed.
function shellWords(text) {
	const words = [];
	let word = null, i = 0;
	const add = s => { word = (word ?? "") + s; };
	while (i < text.length) {
		const c = text[i];
		if (c === "'" || c === "$" && text[i + 1] === "'") {
			const start = c === "'" ? i + 1 : i + 2, quoted = c === "'" ? singleQuoted(text, start) : ansiQuoted(text, start);
			if (!quoted) return null;
			add(quoted.text);
			i = quoted.end;
		} else if (c === '"') {
			const quoted = doubleQuoted(text, i + 1);
			if (!quoted) return null;
			add(quoted.text);
			i = quoted.end;
		} else if (c === "\\") {
			const newline = /^\\\r?\n/.exec(text.slice(i, i + 3));
			if (!newline) add(text[i + 1] ?? "");
			i += newline ? newline[0].length : 2;
		} else if (/\s/.test(c)) {
			if (word !== null) words.push(word);
			word = null;
			i++;
		} else {
			add(c);
			i++;
		}
	}
	if (word !== null) words.push(word);
	return words;
}

function singleQuoted(text, start) {
	const end = text.indexOf("'", start);
	return end < 0 ? null : {text: text.slice(start, end), end: end + 1};
}

function doubleQuoted(text, start) {
	let out = "";
	for (let i = start; i < text.length; i++) {
		if (text[i] === '"') return {text: out, end: i + 1};
		if (text[i] === "\\" && '"\\$`\n'.includes(text[i + 1])) {
			i++;
			if (text[i] === "\n") continue;
		}
		out += text[i];
	}
	return null;
}

function ansiQuoted(text, start) {
	let out = "";
	for (let i = start; i < text.length; i++) {
		if (text[i] === "'") return {text: out, end: i + 1};
		if (text[i] !== "\\") {
			out += text[i];
			continue;
		}
		const code = /^(?:u([0-9A-Fa-f]{1,4})|x([0-9A-Fa-f]{1,2}))/.exec(text.slice(i + 1, i + 6));
		out += code ? String.fromCharCode(parseInt(code[1] ?? code[2], 16)) : escapes[text[i + 1]] ?? "\\" + (text[i + 1] ?? "");
		i += code ? code[0].length : 1;
	}
	return null;
}
