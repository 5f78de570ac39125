// Checks OpenAPI documents: node openapi.mjs FILE... The validator compares each
// with the schema of OpenAPI 3.1, and Ajv each of its examples with the example's
// own schema. It prints a line of JSON for each file: how many examples there
// were, and what is wrong.
import { readFile } from "node:fs/promises";
import { Validator } from "@seriousme/openapi-schema-validator";
import Ajv2020 from "ajv/dist/2020.js";

// alone makes a schema of a document one that stands for itself.
const alone = (schema) => JSON.parse(JSON.stringify(schema).replaceAll('"#/components/schemas/', '"schemas#/$defs/'));

// found lists the examples of a node with their schema: a schema has a list, a media
// type, parameter or header has one, or named ones.
function* found(node, pointer) {
  if (node === null || typeof node !== "object") return;
  if (Array.isArray(node.examples)) for (const value of node.examples) yield [pointer, node, value];
  if (node.schema !== undefined) {
    if (node.example !== undefined) yield [pointer, node.schema, node.example];
    if (node.examples) for (const { value } of Object.values(node.examples)) yield [pointer, node.schema, value];
  }
  for (const [name, child] of Object.entries(node)) {
    if (pointer.endsWith("/properties") || (name !== "example" && name !== "examples")) yield* found(child, `${pointer}/${name}`);
  }
}

async function check(document) {
  const faults = [];
  const { valid, errors } = await new Validator({ strict: true }).validate(structuredClone(document));
  if (!valid) faults.push(errors);

  const ajv = new Ajv2020({ strict: true, strictRequired: false, allErrors: true });
  ajv.addFormat("int64", { type: "number", validate: Number.isSafeInteger });
  ajv.addVocabulary(["x-necessity", "x-aliases"]);
  ajv.addSchema({ $id: "schemas", $defs: alone(document.components.schemas) });
  let examples = 0;
  for (const [pointer, schema, value] of found(document, "")) {
    examples++;
    try {
      const validate = ajv.compile(alone(schema));
      if (!validate(value)) faults.push([pointer, value, validate.errors]);
    } catch (error) {
      faults.push([pointer, error.message]);
    }
  }
  return { examples, faults };
}

for (const file of process.argv.slice(2)) {
  console.log(JSON.stringify(await check(JSON.parse(await readFile(file, "utf8")))));
}
