// The JSON Schemas with ajv's default options, which are strict.
//
//     node compile_schemas.cjs FOLDER FILE...

const fs = require("node:fs");
const path = require("node:path");
const modules = path.join(process.argv[2], "node_modules");
const Ajv = require(path.join(modules, "ajv/dist/2020")).default;
const addFormats = require(path.join(modules, "ajv-formats")).default;

for (const file of process.argv.slice(3)) {
  const said = [];
  const log = (text) => said.push(text);
  const ajv = addFormats(new Ajv({ logger: { log, warn: log, error: log } }));
  try {
    ajv.compile(JSON.parse(fs.readFileSync(file, "utf8")));
  } catch (error) {
    said.push(error.message);
  }
  console.log(said.length ? `FAILED ajv ${path.basename(file)}: ${said.join("; ")}` : `ok ajv ${path.basename(file)}`);
}
