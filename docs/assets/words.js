// The texts of a tool's page. They come from the server in the page's language.

// speaker returns say, which fills the places of a text: say("upTo", {n: 3}). A
// text that is not there is a mistake of ours, and shows as one.
export const speaker = words => (key, places = {}) => {
	if (!Object.hasOwn(words, key)) throw new Error("there is no text " + key);
	return words[key].replace(/\{(\w+)\}/g, (_, name) => {
		if (!Object.hasOwn(places, name)) throw new Error("the text " + key + " wants " + name);
		return places[name];
	});
};

// make makes an element with text and children, never HTML.
export function make(tag, properties = {}, ...children) {
	const element = Object.assign(document.createElement(tag), properties);
	element.append(...children);
	return element;
}

// table makes a table whose rows are cards on a phone. heads are the columns'
// names; the cell in place of the name is a row's own head.
export function table(heads, rows, named, caption = "") {
	const cell = (content, i) => {
		const made = i === named ? make("th", {scope: "row"}, make("code", {}, content)) : make("td", {}, content);
		made.dataset.label = heads[i];
		return made;
	};
	return make("table", {className: "reply-fields cards-on-phone"}, ...caption ? [make("caption", {}, caption)] : [],
		make("thead", {}, make("tr", {}, ...heads.map(head => make("th", {scope: "col"}, head)))),
		make("tbody", {}, ...rows.map(row => make("tr", {}, ...row.map(cell)))));
}

// keySentence is what to say of a key that cannot be read.
export const keySentence = (say, error) => error.code ? say("key." + error.code, {n: error.number ?? ""}) : say("key.damaged");
