// RSA keys in the page: PEM as people have it, PKCS#1 and PKCS#8, of 2048 to 4096
// bits, with a clear word for everything else. A private key becomes a CryptoKey
// that cannot be taken out of the browser again.

import {base64, base64Bytes, hex} from "./sign.js";

export const bitsMin = 2048;
export const bitsMax = 4096;

// A KeyError has a code, which the page has a text for, and maybe a number.
export class KeyError extends Error {
	constructor(code, number) {
		super(code);
		this.code = code;
		this.number = number;
	}
}

const algorithm = {name: "RSASSA-PKCS1-v1_5", hash: "SHA-256"};

// PEM

// decodePEM returns {type, encrypted, der} of the only block of a text.
function decodePEM(text) {
	const trimmed = text.replace(/^\ufeff/, "").trim();
	if (trimmed === "") throw new KeyError("empty");
	if (trimmed.startsWith("ssh-")) throw new KeyError("openssh");
	if (trimmed.includes("\\n")) throw new KeyError("escaped");
	const begins = trimmed.match(/-----BEGIN /g)?.length ?? 0;
	if (begins > 1) throw new KeyError("several");
	const block = /^-----BEGIN ([A-Z0-9 ]+)-----([\s\S]*)-----END ([A-Z0-9 ]+)-----$/.exec(trimmed);
	if (!block || block[1] !== block[3]) throw new KeyError(begins === 0 ? "no-pem" : "around");
	let body = block[2];
	const headers = /^\s*(?:[A-Za-z-]+:.*\r?\n)+\s*\r?\n/.exec(body)?.[0] ?? "";
	body = body.slice(headers.length).replace(/\s/g, "");
	return {type: block[1], encrypted: /DEK-Info/i.test(headers) || block[1] === "ENCRYPTED PRIVATE KEY",
		der: base64Bytes(body) ?? new Uint8Array()};
}

// DER (ITU-T X.690), as much as keys need

const sequence = 0x30, integer = 0x02, bitString = 0x03, octetString = 0x04, object = 0x06;

// read returns the element at the start of bytes: {tag, content, end}.
function read(bytes, tag) {
	let length = bytes[1], at = 2;
	if (length >= 0x80) {
		const count = length & 0x7f;
		if (count === 0 || count > 3) throw new KeyError("damaged");
		length = 0;
		for (const b of bytes.subarray(2, 2 + count)) length = length << 8 | b;
		at += count;
	}
	if (bytes.length < 2 || bytes[0] !== tag || at + length > bytes.length) throw new KeyError("damaged");
	return {content: bytes.subarray(at, at + length), end: at + length};
}

// readAll reads elements that follow each other, by their tags.
function readAll(bytes, tags) {
	const contents = [];
	for (const tag of tags) {
		const {content, end} = read(bytes, tag);
		contents.push(content);
		bytes = bytes.subarray(end);
	}
	return contents;
}

function element(tag, ...contents) {
	const length = contents.reduce((sum, c) => sum + c.length, 0);
	const size = length < 0x80 ? [length] : length < 0x100 ? [0x81, length] :
		length < 0x10000 ? [0x82, length >> 8, length & 0xff] : [0x83, length >> 16, length >> 8 & 0xff, length & 0xff];
	const all = new Uint8Array(1 + size.length + length);
	all.set([tag, ...size]);
	let at = 1 + size.length;
	for (const c of contents) {
		all.set(c, at);
		at += c.length;
	}
	return all;
}

const rsaEncryption = "2a864886f70d010101", rsaPSS = "2a864886f70d01010a", ellipticCurve = "2a8648ce3d0201";
const rsaAlgorithm = element(sequence, element(object, Uint8Array.from(rsaEncryption.match(/../g), h => parseInt(h, 16))),
	Uint8Array.of(0x05, 0x00));
const zero = element(integer, Uint8Array.of(0));

// checkAlgorithm looks at the AlgorithmIdentifier's content.
function checkAlgorithm(content) {
	const name = hex(read(content, object).content);
	if (name === ellipticCurve) throw new KeyError("elliptic");
	if (name === rsaPSS) throw new KeyError("pss");
	if (name !== rsaEncryption) throw new KeyError("other");
}

// publicOf makes a public key {bits, fingerprint, spki, pem} of modulus and exponent.
async function publicOf(modulus, exponent) {
	const n = modulus[0] === 0 ? modulus.subarray(1) : modulus;
	if (n.length === 0 || exponent.length === 0) throw new KeyError("damaged");
	const bits = n.length * 8 - Math.clz32(n[0]) + 24;
	if (bits < bitsMin || bits > bitsMax) throw new KeyError("bits", bits);
	const last = exponent.at(-1);
	if (last % 2 === 0 || exponent.length === 1 && last < 3 || n.at(-1) % 2 === 0) throw new KeyError("exponent");
	const pkcs1 = element(sequence, element(integer, modulus), element(integer, exponent));
	const spki = element(sequence, rsaAlgorithm, element(bitString, Uint8Array.of(0), pkcs1));
	return {bits, spki, pem: pem("PUBLIC KEY", spki), fingerprint: hex(await crypto.subtle.digest("SHA-256", spki))};
}

// pem writes a block with lines of 64 characters.
export const pem = (type, der) => `-----BEGIN ${type}-----\n${base64(der).replace(/.{1,64}/g, "$&\n")}-----END ${type}-----\n`;

// readPublicKey reads SPKI ("PUBLIC KEY") or PKCS#1 ("RSA PUBLIC KEY").
export async function readPublicKey(text) {
	const block = decodePEM(text);
	if (block.type.endsWith("PRIVATE KEY")) throw new KeyError("private");
	if (block.type.endsWith("CERTIFICATE")) throw new KeyError("certificate");
	let pkcs1 = block.der;
	if (block.type === "PUBLIC KEY") {
		const [algorithmOf, bits] = readAll(read(block.der, sequence).content, [sequence, bitString]);
		checkAlgorithm(algorithmOf);
		pkcs1 = bits.subarray(1);
	} else if (block.type !== "RSA PUBLIC KEY") {
		throw new KeyError("kind");
	}
	return publicOf(...readAll(read(pkcs1, sequence).content, [integer, integer]));
}

// readPrivateKey reads PKCS#8 ("PRIVATE KEY") or PKCS#1 ("RSA PRIVATE KEY") that
// is not encrypted, and returns {private: a CryptoKey, public}. WebCrypto knows
// PKCS#8 alone: PKCS#1 is wrapped.
export async function readPrivateKey(text) {
	const block = decodePEM(text);
	const refused = {"EC PRIVATE KEY": "elliptic", "OPENSSH PRIVATE KEY": "openssh"}[block.type];
	if (block.encrypted) throw new KeyError("encrypted");
	if (refused) throw new KeyError(refused);
	if (block.type.endsWith("PUBLIC KEY")) throw new KeyError("public");
	if (block.type.endsWith("CERTIFICATE")) throw new KeyError("certificate");
	let pkcs1 = block.der;
	if (block.type === "PRIVATE KEY") {
		const [, algorithmOf, content] = readAll(read(block.der, sequence).content, [integer, sequence, octetString]);
		checkAlgorithm(algorithmOf);
		pkcs1 = content;
	} else if (block.type !== "RSA PRIVATE KEY") {
		throw new KeyError("kind");
	}
	const parts = read(pkcs1, sequence);
	const [, modulus, exponent] = readAll(parts.content, [integer, integer, integer]);
	const publicKey = await publicOf(modulus, exponent);
	const pkcs8 = element(sequence, zero, rsaAlgorithm, element(octetString, pkcs1.subarray(0, parts.end)));
	try {
		return {private: await crypto.subtle.importKey("pkcs8", pkcs8, algorithm, false, ["sign"]), public: publicKey};
	} catch {
		throw new KeyError("damaged");
	}
}

// generate makes a key pair in the page and returns the PEM of both halves.
export async function generate(bits) {
	const pair = await crypto.subtle.generateKey({...algorithm, modulusLength: bits, publicExponent: Uint8Array.of(1, 0, 1)}, true,
		["sign", "verify"]);
	const [privateDER, publicDER] = await Promise.all([crypto.subtle.exportKey("pkcs8", pair.privateKey),
		crypto.subtle.exportKey("spki", pair.publicKey)]);
	return {private: pem("PRIVATE KEY", privateDER), public: pem("PUBLIC KEY", publicDER)};
}
