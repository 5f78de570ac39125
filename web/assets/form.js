// The payout form: sent once, checked while it is filled in, cards in fours,
// banks found by typing. The server checks everything again.
"use strict";
{
	const form = document.getElementById("payout");
	const button = form.querySelector("button[type=submit]");
	const inputs = [...form.querySelectorAll("[data-kind]")];
	const digitsOf = text => text.replace(/\D/g, "");
	form.noValidate = true; // our own messages, in the page's language

	// Problems

	const luhn = digits => [...digits].reverse().reduce((sum, d, i) => sum + (i % 2 ? (d * 2 > 9 ? d * 2 - 9 : d * 2) : +d), 0) % 10 === 0;

	function ibanFits(text) {
		const numbers = (text.slice(4) + text.slice(0, 4)).replace(/[A-Z]/g, c => c.charCodeAt(0) - 55);
		return [...numbers].reduce((rest, d) => (rest * 10 + +d) % 97, 0) === 1;
	}

	// Each kind names the problem of a value that is not empty.
	const checks = {
		card(value) {
			const digits = value.replace(/[\s-]/g, "");
			if (/\D/.test(digits)) return "format";
			if (digits.length < 16) return "short";
			if (digits.length > 19) return "long";
			return luhn(digits) ? "" : "check";
		},
		iban(value) {
			const text = value.replace(/\s/g, "").toUpperCase();
			return /^[A-Z]{2}\d{2}[A-Z0-9]{11,30}$/.test(text) && !ibanFits(text) ? "check" : "";
		},
		phone(value) {
			const digits = digitsOf(value);
			if (/[^\d\s()+.-]/.test(value)) return "format";
			return digits.length < 10 ? "short" : digits.length > 15 ? "long" : "";
		},
		email: value => /^[^\s@]+@[^\s@]+\.[^\s@]+$/.test(value) ? "" : "format",
		digits: value => /^[\d\s]+$/.test(value) ? "" : "format",
		month: value => /^(0?[1-9]|1[0-2])$/.test(value) ? "" : "format",
		year: value => /^(\d{2}|20\d{2})$/.test(value) ? "" : "format",
	};

	function problemOf(input) {
		const value = input.value.trim();
		if (!value) return input.required ? "missing" : "";
		const check = checks[input.dataset.kind];
		return check ? check(value) : "";
	}

	// The element that people see and focus: a bank's is its combobox.
	const faceOf = input => input.face || input;

	function show(input, problem) {
		const line = document.getElementById(input.name + "-problem");
		line.textContent = problem ? input.dataset[problem] : "";
		line.hidden = !problem;
		line.closest(".field").classList.toggle("wrong", !!problem);
		const face = faceOf(input);
		if (problem) face.setAttribute("aria-invalid", "true");
		else face.removeAttribute("aria-invalid");
	}

	for (const input of inputs) {
		input.addEventListener("blur", () => { if (input.value.trim()) show(input, problemOf(input)); });
		input.addEventListener("input", () => {
			// What was wrong gets right as soon as it is; nobody is told off while typing.
			if (faceOf(input).getAttribute("aria-invalid") && !problemOf(input)) show(input, "");
		});
	}

	// Sent once

	const label = button.textContent;
	let sent = false;
	function rest(sending) {
		sent = sending;
		button.disabled = sending;
		button.textContent = sending ? form.dataset.sending : label;
	}
	form.addEventListener("submit", event => {
		if (sent) return event.preventDefault();
		let first = null;
		for (const input of inputs) {
			const problem = problemOf(input);
			show(input, problem);
			if (problem && !first) first = input;
		}
		if (first) {
			event.preventDefault();
			faceOf(first).focus();
			return;
		}
		rest(true);
	});
	addEventListener("pageshow", event => { if (event.persisted) rest(false); });

	// Cards

	const schemes = [["Mir", /^220[0-4]/], ["Visa", /^4/], ["Mastercard", /^(5[1-5]|222[1-9]|22[3-9]|2[3-6]|27[01]|2720)/], ["Amex", /^3[47]/],
		["JCB", /^35(2[89]|[3-8])/], ["UnionPay", /^62/], ["Maestro", /^(5[06-8]|6[0-9])/]];

	for (const input of inputs.filter(i => i.dataset.kind === "card")) {
		const scheme = input.parentNode.querySelector(".scheme");
		input.addEventListener("input", () => {
			const before = digitsOf(input.value.slice(0, input.selectionStart)).length;
			const digits = digitsOf(input.value).slice(0, 19);
			const text = digits.replace(/(.{4})(?=.)/g, "$1 ");
			if (text !== input.value) {
				input.value = text;
				// The caret stays behind as many digits as it was.
				let at = 0;
				for (let seen = 0; at < text.length && seen < before; at++) if (text[at] !== " ") seen++;
				if (at < text.length && text[at] === " " && before && before % 4 === 0) at++;
				if (document.activeElement === input) input.setSelectionRange(at, at);
			}
			const found = schemes.find(([, pattern]) => pattern.test(digits));
			scheme.textContent = found ? found[0] : "";
		});
	}

	// Month, then year

	for (const input of inputs.filter(i => i.dataset.kind === "month")) {
		input.addEventListener("input", event => {
			const next = inputs[inputs.indexOf(input) + 1];
			const typed = (event.inputType || "").startsWith("insert");
			if (typed && /^(0[1-9]|1[0-2])$/.test(input.value) && next && next.dataset.kind === "year") next.focus();
		});
	}

	// Banks: a combobox with a list (ARIA Authoring Practices) in front of the select.

	const plain = text => text.toLowerCase().replace(/ё/g, "е").replace(/[^\p{L}\p{N}]+/gu, "");

	function combobox(select) {
		const make = (tag, attributes) => {
			const element = document.createElement(tag);
			for (const name in attributes) element.setAttribute(name, attributes[name]);
			return element;
		};
		const id = select.id, listID = id + "-list";
		const banks = [...select.options].filter(o => o.value).map(o => ({value: o.value, name: o.text, plain: plain(o.text)}));
		const box = make("div", {class: "combobox"});
		const input = make("input", {id, type: "text", role: "combobox", "aria-expanded": "false", "aria-controls": listID, "aria-autocomplete": "list",
			"aria-describedby": select.getAttribute("aria-describedby"), autocomplete: "off", autocorrect: "off", spellcheck: "false", placeholder: select.dataset.search});
		const list = make("ul", {id: listID, role: "listbox", class: "options", hidden: ""});
		list.setAttribute("aria-label", document.querySelector(`label[for="${CSS.escape(id)}"]`).textContent.trim());
		if (select.required) input.setAttribute("aria-required", "true");
		if (select.getAttribute("aria-invalid")) input.setAttribute("aria-invalid", "true");
		select.removeAttribute("id");
		select.hidden = true;
		select.face = input;
		select.before(box);
		box.append(input, list);
		if (select.value) input.value = select.selectedOptions[0].text;
		let at = -1, shown = [], entered = false;

		function close() {
			list.hidden = true;
			input.setAttribute("aria-expanded", "false");
			input.removeAttribute("aria-activedescendant");
			at = -1;
		}
		function mark(index) {
			at = index;
			[...list.children].forEach((li, i) => li.classList.toggle("at", i === at));
			const li = list.children[at];
			if (!li) return input.removeAttribute("aria-activedescendant");
			input.setAttribute("aria-activedescendant", li.id);
			li.scrollIntoView({block: "nearest"});
		}
		function open(filter) {
			const wanted = plain(filter);
			shown = banks.filter(b => b.plain.includes(wanted));
			list.replaceChildren(...shown.map((bank, i) => {
				const li = make("li", {id: `${listID}-${i}`, role: "option", "aria-selected": String(bank.value === select.value)});
				li.textContent = bank.name;
				li.addEventListener("click", () => choose(bank));
				return li;
			}));
			if (!shown.length) {
				const li = make("li", {class: "none", role: "option", "aria-disabled": "true", "aria-selected": "false"});
				li.textContent = select.dataset.nothing;
				list.append(li);
			}
			list.hidden = false;
			input.setAttribute("aria-expanded", "true");
			mark(-1);
		}
		function choose(bank) {
			select.value = bank ? bank.value : "";
			if (bank) input.value = bank.name;
			if (bank) show(select, "");
			close();
		}
		input.addEventListener("input", () => { select.value = ""; open(input.value); });
		input.addEventListener("click", () => { if (list.hidden) open(select.value ? "" : input.value); });
		input.addEventListener("keydown", event => {
			const step = {ArrowDown: 1, ArrowUp: -1}[event.key];
			if (step) {
				event.preventDefault();
				if (list.hidden) open(select.value ? "" : input.value);
				if (shown.length) mark(at < 0 ? (step > 0 ? 0 : shown.length - 1) : (at + step + shown.length) % shown.length);
			} else if (event.key === "Enter" && !list.hidden) {
				event.preventDefault();
				entered = true;
				if (shown[at]) choose(shown[at]);
				else if (shown.length === 1) choose(shown[0]);
			} else if (event.key === "Escape") {
				if (!list.hidden) close();
				else { input.value = ""; select.value = ""; }
			}
		});
		// The Enter that chose a bank does not send the form as well.
		input.addEventListener("keypress", event => {
			if (event.key === "Enter" && entered) event.preventDefault();
			entered = false;
		});
		list.addEventListener("pointerdown", event => event.preventDefault()); // the focus stays
		input.addEventListener("blur", () => {
			close();
			if (select.value) {
				input.value = select.selectedOptions[0].text;
				return;
			}
			const wanted = plain(input.value), fits = banks.filter(b => b.plain === wanted);
			if (fits.length === 1) choose(fits[0]);
			else if (input.value.trim()) show(select, "format");
		});
		// After "back" the browser may have put the old choice into the select.
		addEventListener("pageshow", () => { if (select.value) input.value = select.selectedOptions[0].text; });
	}
	form.querySelectorAll("select[data-search]").forEach(combobox);

	// Where there is something to correct, reading begins there.
	const summary = document.getElementById("summary");
	if (summary) {
		summary.focus();
		summary.addEventListener("click", event => {
			const target = event.target.closest("a") && document.getElementById(event.target.closest("a").hash.slice(1));
			if (!target) return;
			event.preventDefault();
			target.focus();
			target.scrollIntoView({block: "center"});
		});
	}
}
