// Light or dark: as the system has it, until the reader chooses. The choice is
// set before the page is drawn, so this script is not deferred.
"use strict";
{
	const root = document.documentElement;
	const stored = () => {
		try {
			return localStorage.getItem("theme");
		} catch {
			return null; // storage is switched off
		}
	};
	const apply = (theme) => {
		if (theme === "light" || theme === "dark") {
			root.dataset.theme = theme;
		} else {
			delete root.dataset.theme;
		}
	};
	apply(stored());
	addEventListener("storage", (event) => {
		if (event.key === "theme") {
			apply(event.newValue);
		}
	});
	document.addEventListener("click", (event) => {
		if (!event.target.closest("[data-theme-toggle]")) {
			return;
		}
		const system = matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light";
		const theme = (root.dataset.theme || system) === "dark" ? "light" : "dark";
		apply(theme === system ? null : theme);
		try {
			if (theme === system) {
				localStorage.removeItem("theme");
			} else {
				localStorage.setItem("theme", theme);
			}
		} catch {
			// The choice lasts as long as the page.
		}
	});
}
