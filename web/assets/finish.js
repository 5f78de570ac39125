// The way back to the sender's site: by itself after a moment, and only once.
"use strict";
{
	const form = document.getElementById("return");
	const button = form.querySelector("button");
	const note = form.querySelector("[data-soon]");
	const pause = 2000; // milliseconds: long enough to see that all is well
	const key = "returned " + location.pathname;

	// Without storage (it may be forbidden) "back" is told by the kind of navigation alone.
	const storage = (() => { try { return sessionStorage; } catch { return null; } })();
	const [navigation] = performance.getEntriesByType("navigation");
	const cameBack = navigation && navigation.type === "back_forward";
	let timer = 0;

	form.addEventListener("submit", () => {
		clearTimeout(timer);
		if (storage) storage.setItem(key, "1");
		note.textContent = "";
		setTimeout(() => { button.disabled = true; });
	});
	if (!cameBack && !(storage && storage.getItem(key))) {
		note.textContent = note.dataset.soon;
		timer = setTimeout(() => form.requestSubmit ? form.requestSubmit() : button.click(), pause);
	}
	addEventListener("pageshow", event => {
		if (!event.persisted) return;
		clearTimeout(timer);
		note.textContent = "";
		button.disabled = false;
	});
}
