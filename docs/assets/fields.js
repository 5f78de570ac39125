// The rules for values of parameters, as spec.Parse has them: a value that is
// refused there is refused here, while it is typed. Tests run both on the same
// values. A problem is {code, number}; the page has a text for each code.

// only tells whether a value has no other characters.
const only = (characters, value) => [...value].every(c => characters.includes(c));
const digits = "0123456789";
const control = /[\u0000-\u001f\u007f-\u009f]/; // Unicode category Cc

function luhn(value) {
	let sum = 0;
	[...value].reverse().forEach((d, i) => { sum += i % 2 ? (d * 2 > 9 ? d * 2 - 9 : d * 2) : +d; });
	return sum % 10 === 0;
}

function isDay(month, day, year) {
	const date = new Date(Date.UTC(2000, 0, 1));
	date.setUTCFullYear(year, month - 1, day);
	return date.getUTCMonth() === month - 1 && date.getUTCDate() === day;
}

function isBirthday(value) {
	if (!/^(\d{6}|\d{8})$/.test(value)) return false;
	const month = +value.slice(0, 2), day = +value.slice(2, 4), short = value.length === 6;
	const year = +value.slice(4);
	return month >= 1 && month <= 12 && day >= 1 && isDay(month, day, short ? (year >= 69 ? 1900 : 2000) + year : year);
}

function isIPv4(value) {
	const parts = value.split(".");
	return parts.length === 4 && parts.every(p => /^(0|[1-9]\d{0,2})$/.test(p) && +p <= 255);
}

function isIPv6(value) {
	if (!/^[0-9A-Fa-f:.]+$/.test(value) || (value.match(/::/g) ?? []).length > 1 || value.includes(":::")) return false;
	const [head, tail] = value.includes("::") ? value.split("::") : [value, null];
	const groups = [...(head ? head.split(":") : []), ...(tail ? tail.split(":") : [])];
	let count = groups.length;
	for (const [i, group] of groups.entries()) {
		if (group.includes(".")) {
			if (i !== groups.length - 1 || tail === "" || !isIPv4(group)) return false;
			count++;
		} else if (!/^[0-9A-Fa-f]{1,4}$/.test(group)) {
			return false;
		}
	}
	return tail === null ? count === 8 : count < 8;
}

function isURL(value) {
	const parts = /^(https?):\/\/([^/?#]*)([^#]*)(#.*)?$/is.exec(value);
	if (!parts || /\s/.test(value) || control.test(value) || /[\u0085\u00a0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000]/.test(value)) return false;
	const [, , authority, rest] = parts;
	const path = rest.split("?")[0], fragment = parts[4] ?? "";
	if (authority.includes("@") || /%(?![0-9A-Fa-f]{2})/.test(path + fragment)) return false;
	const host = /^(\[[0-9A-Fa-f:.]+\]|[^[\]:]*)(:\d*)?$/.exec(authority);
	return !!host && host[1] !== "" && !/[ "<>^`{|}\\%]/.test(host[1]) && (host[1][0] !== "[" || isIPv6(host[1].slice(1, -1)));
}

// Each kind tells whether it accepts a value that is not empty and has no NUL.
// lists are the codes of currencies and countries.
const kinds = {
	Line: value => !control.test(value),
	Digits: value => only(digits, value),
	Phone: value => /\d/.test(value) && only(digits + " -()", value.replace(/^\+/, "")),
	Currency: (value, lists) => Object.hasOwn(lists.currencies, value),
	IP: value => isIPv4(value) || isIPv6(value),
	OrderID: value => /^\d{1,18}$/.test(value) && /[1-9]/.test(value),
	Serial: value => /^0{8}-0{4}-0{4}-[0-7][0-9a-f]{3}-[0-9a-f]{12}$/i.test(value),
	Card: value => /^[1-9]\d{15,18}$/.test(value) && luhn(value),
	Month: value => /^(0*[1-9]|0*1[0-2])$/.test(value),
	Year: value => /^(\d{2}|\d{4})$/.test(value),
	Country: (value, lists) => lists.countries.includes(value),
	Bool: value => value === "true" || value === "false",
	Birthday: isBirthday,
	URL: isURL,
};

// problemOf checks one value against its row {kind, min, max, required}; null
// if it is accepted. Amounts need their currency: see amountProblem.
export function problemOf(row, value, lists) {
	if (value === "") return row.required ? {code: "required"} : null;
	const length = [...value].length; // characters, not bytes
	if (length > row.max) return {code: "long", number: row.max};
	if (length < row.min) return {code: "short", number: row.min};
	if (value.includes("\0")) return {code: "nul"};
	const accepts = kinds[row.kind];
	return !accepts || accepts(value, lists) ? null : {code: row.kind};
}

// minorUnits reads an amount in a currency: {minor} or {problem}.
export function minorUnits(amount, currency, currencies) {
	if (!Object.hasOwn(currencies, currency)) return {problem: {code: "Currency"}};
	const exponent = currencies[currency], [major, decimals, ...more] = amount.split(".");
	if (more.length || !/^\d+$/.test(major) || decimals !== undefined && !/^\d+$/.test(decimals)) return {problem: {code: "Amount"}};
	if ((decimals ?? "").length > exponent) return {problem: {code: "decimals", number: exponent}};
	const minor = BigInt(major + (decimals ?? "").padEnd(exponent, "0"));
	return minor === 0n ? {problem: {code: "zero"}} : {minor: minor.toString()};
}
