// The collection runner sends this request again until the order has come as far
// as it does by itself.
let reply = {};
try {
  reply = pm.response.json();
} catch {
  // not a reply: the tests tell
}
const counter = `${about.command}.tries`;
const tries = Number(pm.collectionVariables.get(counter) || 0) + 1;
const waits = reply.type === about.type && reply["order-stage"] !== about.stage && !about.final.includes(reply.status);
if (waits && tries < about.tries) {
  pm.collectionVariables.set(counter, tries);
  setTimeout(() => {}, 1000 * Number(pm.variables.get(about.poll)));
  pm.execution.setNextRequest(pm.info.requestId);
} else {
  pm.collectionVariables.unset(counter);
  pm.test(`the order of ${about.command} reaches ${about.stage}`, () => {
    pm.expect(reply, pm.response.text()).to.include({ type: about.type, "order-stage": about.stage, status: about.status });
    pm.response.to.have.status(200);
  });
  for (const [field, variable] of Object.entries(about.agrees)) {
    pm.test(`${field} names the order`, () => {
      pm.expect(reply[field]).to.be.a("string").that.equals(pm.collectionVariables.get(variable));
    });
  }
}
