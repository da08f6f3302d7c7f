// A client of the component that shares no code with the project: Node, with what jco makes of the component.
//
// Usage: client.mjs TRANSPILED MODEL < requests, one JSON object a line > answers, one JSON object a line.

import { readFileSync } from "node:fs";
import { pathToFileURL } from "node:url";

const [transpiled, model] = process.argv.slice(2);
const component = await import(pathToFileURL(transpiled));

const print = (value) =>
  console.log(JSON.stringify(value, (_, field) => (typeof field === "bigint" ? Number(field) : field)));

// jco throws where the contract says error; the payload is the error.
const attempt = (call) => {
  try {
    return call();
  } catch (error) {
    if (error.payload === undefined) throw error;
    return error.payload;
  }
};

print(attempt(() => component.model.load(readFileSync(model))));
for (const line of readFileSync(0, "utf8").split("\n").filter(Boolean)) {
  const { include, ...asked } = JSON.parse(line);
  const request = { ...component.recommend.defaultRequest(), ...asked };
  // Flags are an object here.
  if (include) request.include = Object.fromEntries(include.map((name) => [name, true]));
  print(attempt(() => component.recommend.recommend(request)));
}
