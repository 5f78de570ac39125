// What every page of the documentation has: buttons that copy, tabs, the mark
// of the heading that is read, search. Without it everything can be read.

import {Index} from "./search.js";

/* Samples: a button that copies, and tabs where several show the same thing. */

async function copy(text) {
	if (navigator.clipboard) { // only over HTTPS and on this machine
		return navigator.clipboard.writeText(text);
	}
	const area = Object.assign(document.createElement("textarea"), {value: text});
	document.body.append(area);
	area.select();
	document.execCommand("copy");
	area.remove();
}

for (const button of document.querySelectorAll("[data-copy]")) {
	const label = button.textContent;
	button.hidden = false;
	button.addEventListener("click", async () => {
		await copy(button.closest("figure").querySelector("code").textContent);
		button.textContent = button.dataset.done;
		setTimeout(() => { button.textContent = label; }, 1500);
	});
}

let tabsCount = 0;
for (const group of document.querySelectorAll("[data-tabs]")) {
	const panels = [...group.querySelectorAll(":scope > .sample")];
	if (panels.length < 2) {
		continue;
	}
	const bar = document.createElement("div");
	bar.className = "tabs";
	bar.setAttribute("role", "tablist");
	bar.setAttribute("aria-label", group.dataset.tabs);
	const prefix = `tabs-${++tabsCount}-`;
	const tabs = panels.map((panel, i) => {
		const tab = Object.assign(document.createElement("button"), {type: "button", id: `${prefix}tab-${i}`,
			textContent: panel.querySelector("figcaption span").textContent});
		tab.setAttribute("role", "tab");
		tab.setAttribute("aria-controls", `${prefix}${i}`);
		panel.id = `${prefix}${i}`;
		panel.setAttribute("role", "tabpanel");
		panel.setAttribute("aria-labelledby", tab.id);
		bar.append(tab);
		return tab;
	});
	const select = (chosen, focus) => tabs.forEach((tab, i) => {
		tab.setAttribute("aria-selected", String(i === chosen));
		tab.tabIndex = i === chosen ? 0 : -1;
		panels[i].hidden = i !== chosen;
		if (focus && i === chosen) {
			tab.focus();
		}
	});
	tabs.forEach((tab, i) => tab.addEventListener("click", () => select(i)));
	bar.addEventListener("keydown", (event) => {
		const now = tabs.indexOf(document.activeElement);
		const to = {ArrowRight: now + 1, ArrowLeft: now - 1, Home: 0, End: tabs.length - 1}[event.key];
		if (to !== undefined) {
			event.preventDefault();
			select((to + tabs.length) % tabs.length, true);
		}
	});
	group.prepend(bar);
	select(0);
}

/* The other language keeps the place on the page. */

for (const link of document.querySelectorAll(".languages a")) {
	link.addEventListener("click", () => { link.hash = location.hash; });
}

/* The heading that is read is marked in the list of headings. */

const contents = new Map([...document.querySelectorAll(".page-headings a")].map((a) => [a.hash.slice(1), a]));
if (contents.size > 0) {
	const headings = [...document.querySelectorAll("article h2[id]")];
	let waits = false;
	const mark = () => {
		waits = false;
		const line = innerHeight / 4;
		let here = headings.findLast((h) => h.getBoundingClientRect().top < line);
		if (innerHeight + scrollY >= document.documentElement.scrollHeight - 2) {
			here = headings.at(-1);
		}
		for (const [id, a] of contents) {
			a.classList.toggle("here", here?.id === decodeURIComponent(id));
		}
	};
	addEventListener("scroll", () => {
		if (!waits) {
			waits = true;
			requestAnimationFrame(mark);
		}
	}, {passive: true});
	mark();
}

// The page that is open is in sight in a long menu.
document.querySelector(".site-menu [aria-current]")?.scrollIntoView({block: "nearest"});

/* Search: / begins, arrows choose, Enter goes, Escape ends. */

const root = document.body.dataset.root;
const input = document.getElementById("search");
const list = document.getElementById("found");
const count = document.getElementById("found-count");
let index = null;
let chosen = -1;

const options = () => [...list.querySelectorAll("[role=option]")];

function show(open) {
	list.hidden = !open;
	input.setAttribute("aria-expanded", String(open));
	if (!open) {
		choose(-1);
	}
}

function choose(n) {
	const all = options();
	chosen = all.length === 0 || n < 0 ? -1 : (n + all.length) % all.length;
	all.forEach((option, i) => option.setAttribute("aria-selected", String(i === chosen)));
	if (chosen < 0) {
		input.removeAttribute("aria-activedescendant");
		return;
	}
	input.setAttribute("aria-activedescendant", all[chosen].id);
	all[chosen].scrollIntoView({block: "nearest"});
}

function load() {
	index ??= fetch(root + "search.json").then((response) => {
		if (!response.ok) {
			throw new Error(response.statusText);
		}
		return response.json();
	}).then((entries) => new Index(entries));
	return index;
}

// marked puts the words that were found in <mark>.
function marked(parts) {
	return parts.map(({text, hit}) => {
		if (!hit) {
			return text;
		}
		const mark = document.createElement("mark");
		mark.textContent = text;
		return mark;
	});
}

function tell(text) {
	const p = document.createElement("p");
	p.textContent = text;
	list.replaceChildren(p);
	count.textContent = text;
}

async function search() {
	const query = input.value.trim();
	if (query === "") {
		show(false);
		return;
	}
	let found;
	try {
		found = (await load()).find(query);
	} catch {
		index = null;
		tell(input.dataset.failed);
		show(true);
		return;
	}
	if (input.value.trim() !== query) {
		return; // somebody typed on meanwhile
	}
	if (found.length === 0) {
		tell(input.dataset.nothing);
	} else {
		list.replaceChildren(...found.map((hit, i) => {
			const link = document.createElement("a");
			link.className = "found";
			link.href = root + hit.url;
			link.id = `found-${i}`;
			link.tabIndex = -1;
			link.setAttribute("role", "option");
			const title = document.createElement("b");
			title.append(...marked(hit.title));
			const text = document.createElement("span");
			text.append(...marked(hit.text));
			link.append(title, text);
			return link;
		}));
		count.textContent = `${count.dataset.count} ${found.length}`;
	}
	show(true);
	choose(found.length > 0 ? 0 : -1);
	list.dataset.query = query;
}

input.addEventListener("input", search);
input.addEventListener("focus", () => { load().catch(() => { index = null; }); if (input.value.trim() !== "") { search(); } });
input.addEventListener("keydown", (event) => {
	const all = options();
	if (event.key === "ArrowDown" || event.key === "ArrowUp") {
		event.preventDefault();
		choose(event.key === "ArrowDown" ? chosen + 1 : chosen < 0 ? all.length - 1 : chosen - 1 + all.length);
	} else if (event.key === "Enter" && chosen >= 0) {
		event.preventDefault();
		all[chosen].click();
	} else if (event.key === "Escape") {
		input.value = "";
		show(false);
		input.blur();
	}
});
list.addEventListener("click", (event) => {
	if (event.target.closest("a")) {
		show(false);
		input.blur();
	}
});
document.addEventListener("click", (event) => {
	if (!event.target.closest(".site-search")) {
		show(false);
	}
});
document.addEventListener("keydown", (event) => {
	if (event.key !== "/" || event.ctrlKey || event.metaKey || event.altKey || event.target.closest("input, textarea, select, [contenteditable]")) {
		return;
	}
	event.preventDefault();
	input.focus();
	input.select();
});
