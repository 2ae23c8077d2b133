// Reads the demonstration's answers with the client that openapi-generator (typescript-fetch) has made of schemas/openapi.json.
//
//     node read_fetch.mjs ORIGIN SUBJECTS

import { readFileSync } from "node:fs";
import { Configuration, LookupsApi, RequestFromJSON, ResponseError } from "./fetch/index.js";

const [, , origin, file] = process.argv;
const subjects: [string, string][] = JSON.parse(readFileSync(file!, "utf8"));
const api = new LookupsApi(new Configuration({ basePath: origin!, apiKey: "demo-key" }));

function tell(name: string, fault: string | null): void {
  console.log(fault ? `FAILED ${name}: ${fault}` : `ok ${name}`);
}

for (const [field, value] of subjects) {
  const answer = await api.enrich({ request: RequestFromJSON({ [field]: value }), limit: 3 });
  const isWhole = "schemaVersion" in answer && answer.alerts.length <= 3 && answer.alerts.every((alert) => alert.evidence.every((item) => item.type));
  tell(`fetch ${field} ${value}`, isWhole ? null : "members are lost");
}
try {
  await api.enrich({ request: { alertId: "a b" } });
  tell("fetch problem", "it is an answer");
} catch (error) {
  tell("fetch problem", error instanceof ResponseError && error.response.status === 422 ? null : String(error));
}
