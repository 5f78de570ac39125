// Full-text search over the parts of all pages. A word of the query is found
// where a word of the text begins with it; of a long word the ending does not
// count, so that Russian finds its cases. A page's title counts more than a
// heading, a heading more than the text.

const word = /[\p{L}\p{N}_]+(?:-[\p{L}\p{N}_]+)*/gu;
const resultsMax = 20;
const excerptMax = 150; // characters

// The weights of a word, by where it stands; whole is for all of a word.
const weights = {title: 30, heading: 14, text: 2};
const whole = 1.8;

// A guide explains what a table lists.
const guideBonus = 1.25;

// plain makes words comparable: small letters, ё as е.
function plain(text) {
	return text.toLowerCase().replaceAll("ё", "е");
}

// wordsOf lists the words of a text, and the parts of names such as
// client_orderid or payout-check besides the whole.
function wordsOf(text) {
	const all = [];
	for (const name of plain(text).match(word) ?? []) {
		all.push(name);
		if (/[-_]/.test(name)) {
			all.push(...name.split(/[-_]/).filter(Boolean));
		}
	}
	return all;
}

// The endings of Russian and English words, longest first; what is left has three
// letters at least. Russian loses a fleeting vowel and its к too: ошибок, ошибка.
const endings = [
	/(?<=^[а-я]{3,})(?:иями|ами|ями|ого|его|ому|ему|ыми|ими|ией|иям|иях|ов|ев|ей|ам|ям|ом|ем|ах|ях|ою|ею|ии|ия|ию|ие|ый|ий|ой|ая|яя|ое|ее|ые|ых|их|ым|им|ую|юю|[аяоеуюыиьй])$/,
	/(?<=^[а-я]{4,})(?:ок|ек|к)$/,
	/(?<=^[a-z]{3,})(?:ies|ing|ed|es|s|e|y)$/,
];

// stem leaves out what may be an ending.
function stem(w) {
	return endings.reduce((left, ending) => left.replace(ending, ""), w);
}

export class Index {
	constructor(entries) {
		this.parts = entries.map(({u, p, h, t}) => ({url: u, page: p, heading: h ?? "", text: t,
			words: {title: h ? [] : wordsOf(p), heading: wordsOf(h ?? ""), text: [...new Set(wordsOf(t))], context: h ? wordsOf(p) : []}}));
	}

	// find returns the best parts for a query in which every word has to be found.
	find(query) {
		const asked = (plain(query).match(word) ?? []).map((w) => ({exact: w, begin: stem(w)}));
		if (asked.length === 0) {
			return [];
		}
		const found = [];
		for (const part of this.parts) {
			let sum = 0;
			for (const w of asked) {
				const score = this.score(part, w);
				if (score === 0) {
					sum = 0;
					break;
				}
				sum += score;
			}
			if (sum > 0) {
				found.push({part, sum: sum * (part.url.startsWith("guides/") ? guideBonus : 1)});
			}
		}
		found.sort((a, b) => b.sum - a.sum);
		return distinct(found).slice(0, resultsMax).map(({part}) => this.shown(part, asked));
	}

	// score is how well a part answers one word; 0 when not at all. That the page's
	// title has the word counts for its parts too, a little.
	score(part, w) {
		let best = 0;
		for (const [place, weight] of [["title", weights.title], ["heading", weights.heading], ["text", weights.text], ["context", 1]]) {
			for (const have of part.words[place]) {
				if (have === w.exact) {
					best = Math.max(best, weight * whole);
				} else if (have.startsWith(w.begin)) {
					best = Math.max(best, weight * Math.min(1, w.exact.length / have.length));
				}
			}
		}
		return best;
	}

	// shown is a part as the list of results has it: its title, and the text around
	// the first word that was found.
	shown(part, asked) {
		const hits = [...part.text.matchAll(word)].filter((m) => asked.some((w) => begins(m[0], w)));
		let from = hits.length > 0 ? Math.max(0, hits[0].index - 40) : 0;
		if (from > 0) {
			from = part.text.indexOf(" ", from) + 1;
		}
		let text = part.text.slice(from, from + excerptMax);
		if (from + excerptMax < part.text.length) {
			text = text.slice(0, Math.max(text.lastIndexOf(" "), excerptMax / 2)) + " …";
		}
		const title = part.heading ? `${part.page} › ${part.heading}` : part.page;
		return {url: part.url, title: split(title, asked), text: split((from > 0 ? "… " : "") + text, asked)};
	}
}

// distinct puts parts that say what an earlier one has said, as the pages of
// commands do, behind all others.
function distinct(found) {
	const said = new Set();
	const repeated = [];
	const first = found.filter((hit) => {
		const what = hit.part.heading + "\n" + hit.part.text.slice(0, 100);
		if (said.has(what)) {
			repeated.push(hit);
			return false;
		}
		said.add(what);
		return true;
	});
	return first.concat(repeated);
}

function begins(name, w) {
	return wordsOf(name).some((have) => have.startsWith(w.begin));
}

// split cuts a text into parts that were found and others.
function split(text, asked) {
	const parts = [];
	let end = 0;
	for (const m of text.matchAll(word)) {
		if (asked.some((w) => begins(m[0], w))) {
			parts.push({text: text.slice(end, m.index), hit: false}, {text: m[0], hit: true});
			end = m.index + m[0].length;
		}
	}
	parts.push({text: text.slice(end), hit: false});
	return parts;
}
