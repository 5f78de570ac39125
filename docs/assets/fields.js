// The rules for values of parameters, as spec.Parse has them: a value that is
// refused there is refused here, while it is typed. Tests run both on the same
// values. A problem is {code, number}; the page has a text for each code.

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
	const month = +value.slice(0, 2), day = +value.slice(2, 4), short = value.length === 6;
	const year = +value.slice(4);
	return isDay(month, day, short ? (year >= 69 ? 1900 : 2000) + year : year);
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
	if (!parts || /[\s\u0085]/.test(value.replaceAll("\ufeff", ""))) return false;
	const [, , authority, rest] = parts;
	const path = rest.split("?")[0], fragment = parts[4] ?? "";
	if (authority.includes("@") || /%(?![0-9A-Fa-f]{2})/.test(path + fragment)) return false;
	const host = /^(\[[0-9A-Fa-f:.]+\]|[^[\]:]*)(:\d*)?$/.exec(authority);
	return !!host && host[1] !== "" && !/[ "<>^`{|}\\%]/.test(host[1]) && (host[1][0] !== "[" || isIPv6(host[1].slice(1, -1)));
}

// Kinds whose rule is more than the pattern of the table. A value here matches it.
const more = {
	Card: luhn,
	IP: value => isIPv4(value) || isIPv6(value),
	URL: isURL,
	Birthday: isBirthday,
};

// problemOf checks one value against its row {kind, pattern, values, min, max,
// required}; null if it is accepted. An amount needs its currency too: see minorUnits.
export function problemOf(row, value) {
	if (value === "") return row.required ? {code: "required"} : null;
	const length = [...value].length; // characters, not bytes
	if (length > row.max) return {code: "long", number: row.max};
	if (length < row.min) return {code: "short", number: row.min};
	const fits = new RegExp(row.pattern, "u").test(value) && (!row.values || row.values.includes(value)) &&
		(!more[row.kind] || more[row.kind](value));
	return fits ? null : {code: row.kind};
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
