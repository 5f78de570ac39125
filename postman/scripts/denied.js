pm.test("access is denied", () => {
  pm.response.to.have.status(about.status);
  pm.expect(pm.response.headers.get("Content-Type")).to.match(/^text\/html/);
  pm.expect(pm.response.text()).to.include(about.page);
});
