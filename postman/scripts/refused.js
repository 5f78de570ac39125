pm.test("the request is refused", () => {
  pm.response.to.have.status(about.status);
  pm.expect(pm.response.json()).to.include({ type: about.type, "error-code": about.code });
});
