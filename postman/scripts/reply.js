let reply = {};
try {
  reply = pm.response.json();
} catch {
  // not a reply: the first test tells
}
pm.test(`${about.command} is accepted`, () => {
  pm.expect(reply, pm.response.text()).to.include({ type: about.type });
  pm.response.to.have.status(200);
  pm.expect(reply["serial-number"]).to.match(/^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/);
});
for (const [field, variable] of Object.entries(about.agrees)) {
  pm.test(`${field} names the order`, () => {
    pm.expect(reply[field]).to.be.a("string").that.equals(pm.collectionVariables.get(variable));
  });
}
for (const [variable, field] of Object.entries(about.keeps)) {
  pm.test(`${field} is given`, () => pm.expect(reply[field]).to.match(/./));
  pm.collectionVariables.set(variable, reply[field]);
}
if (about.status) pm.test(`status is ${about.status}`, () => pm.expect(reply.status).to.equal(about.status));
