// The control sum is the SHA-1 of values that are joined with nothing between,
// the control key last.
const sent = (name) => {
  const parameter = pm.request.body.urlencoded.all().find((p) => p.key === name && !p.disabled);
  return parameter ? pm.variables.replaceIn(parameter.value || "") : "";
};
// minorUnits writes 10.4 as 1040, or as 10400 in a currency with three decimals.
const minorUnits = () => {
  const exponent = about.exponents[sent(about.currency)] ?? 2;
  const [major, decimals = ""] = sent(about.amount).split(".");
  return (major + decimals.padEnd(exponent, "0")).replace(/^0+(?=\d)/, "");
};
const values = about.sum.map((part) => {
  if (part === about.id) return pm.variables.replaceIn(about.target).split("/").pop();
  if (part === about.minor) return minorUnits();
  return sent(part);
});
const text = values.join("") + (pm.variables.get(about.key) || "");
pm.variables.set(about.variable, require("crypto-js").SHA1(text).toString());
