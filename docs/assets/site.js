// What every page of the documentation has: buttons that copy, tabs, search.
// Without it everything can be read.

const root = document.body.dataset.root;

/* Samples: a button that copies, and tabs where several show the same thing. */

for (const button of document.querySelectorAll("[data-copy]")) {
	const label = button.textContent;
	button.hidden = false;
	button.addEventListener("click", async () => {
		await navigator.clipboard.writeText(button.closest("figure").querySelector("code").textContent);
		button.textContent = button.dataset.done;
		setTimeout(() => { button.textContent = label; }, 1500);
	});
}
