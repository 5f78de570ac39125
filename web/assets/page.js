// What all pages have: times in the reader's own zone, and a button that prints.
"use strict";
{
	const lang = document.documentElement.lang;
	const locale = lang === "en" ? "en-GB" : lang;

	for (const time of document.querySelectorAll("time[data-local]")) {
		const at = new Date(time.dateTime);
		if (!isNaN(at)) {
			const day = at.toDateString() === new Date().toDateString() ? {} : {day: "numeric", month: "long"};
			time.textContent = new Intl.DateTimeFormat(locale, {...day, hour: "2-digit", minute: "2-digit"}).format(at);
		}
	}

	// Minutes left. A clock that is far off says nothing rather than nonsense.
	const left = document.querySelector("[data-left]");
	if (left) {
		const end = Date.parse(left.dataset.left);
		const unit = new Intl.NumberFormat(locale, {style: "unit", unit: "minute", unitDisplay: "short"});
		const tell = () => {
			const minutes = Math.ceil((end - Date.now()) / 60000);
			left.textContent = minutes > 0 && minutes <= 120 ? unit.format(minutes) : "";
		};
		tell();
		setInterval(tell, 10000);
	}

	for (const button of document.querySelectorAll("[data-print]")) {
		button.hidden = false;
		button.addEventListener("click", () => print());
	}
}
