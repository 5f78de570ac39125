// The wait page: told by server-sent events, and where they fail by asking.
"use strict";
{
	const page = document.getElementById("wait");
	const {events, poll, self} = page.dataset;
	const every = 3000; // milliseconds
	let over = false;

	for (const element of document.querySelectorAll("[data-script]")) element.hidden = false;

	function tell(text) {
		const {state} = JSON.parse(text);
		if (over || !state || state === page.dataset.state) return;
		if (state === "done") {
			over = true;
			location.replace(self);
			return;
		}
		const texts = [...page.querySelectorAll("[data-when]")];
		if (!texts.some(element => element.dataset.when === state)) return;
		page.dataset.state = state;
		for (const element of texts) element.hidden = element.dataset.when !== state;
	}

	async function ask() {
		try {
			const answer = await fetch(poll, {cache: "no-store", headers: {Accept: "application/json"}});
			if (answer.ok) tell(await answer.text());
			else if (answer.status === 404 || answer.status === 410) {
				over = true;
				location.replace(self);
			}
		} catch {
			// No network for a moment, such as in a lift: ask again.
		}
		if (!over) setTimeout(ask, every);
	}

	function listen() {
		if (!window.EventSource) return ask();
		const source = new EventSource(events);
		let failures = 0;
		source.addEventListener("state", event => {
			failures = 0;
			tell(event.data);
			if (over) source.close();
		});
		source.addEventListener("error", () => {
			if (source.readyState !== EventSource.CLOSED && ++failures < 3) return; // it connects again by itself
			source.close();
			ask();
		});
	}
	listen();

	// Shown again by "back" from a frozen page: what it shows may be long past.
	addEventListener("pageshow", event => { if (event.persisted) location.replace(self); });
}
