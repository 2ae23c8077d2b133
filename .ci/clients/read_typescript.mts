// Reads the demonstration's answers with the types that openapi-typescript has made of schemas/openapi.json, through
// openapi-fetch. Compiled with --strict, so that a member without a type fails here.
//
//     node read_typescript.mjs ORIGIN SUBJECTS

import { readFileSync } from "node:fs";
import createClient from "openapi-fetch";
import type { components, paths } from "./openapi.js";

type Enrichment = components["schemas"]["Enrichment"];
type Asked = components["schemas"]["Request"];

const [, , origin, file] = process.argv;
const subjects: [keyof Asked, string][] = JSON.parse(readFileSync(file!, "utf8"));
// Lists in a query have commas: openapi-fetch does not read that from the document.
const client = createClient<paths>({
  baseUrl: origin!,
  headers: { "X-Api-Key": "demo-key" },
  querySerializer: { array: { style: "form", explode: false } },
});

function tell(name: string, fault: string | null): void {
  console.log(fault ? `FAILED ${name}: ${fault}` : `ok ${name}`);
}

function isEnrichment(answer: unknown): answer is Enrichment {
  return typeof answer === "object" && answer !== null && "schema_version" in answer;
}

for (const [field, value] of subjects) {
  const { data, error, response } = await client.POST("/v1/enrich", { body: { [field]: value, limit: 3 } });
  const name = `typescript ${field} ${value}`;
  if (!isEnrichment(data)) {
    tell(name, `status ${response.status}, ${error?.code}`);
    continue;
  }
  // Each of these has a type of its own.
  const severity: "unknown" | "informational" | "low" | "medium" | "high" | "critical" | "other" = data.severity;
  const evidence: string[] = data.alerts.flatMap((alert) =>
    alert.evidence.map((item) => `${item.type} ${item.command_line ?? item.sha1 ?? item.address ?? item.url ?? ""}`),
  );
  const extra: unknown = data.alerts[0]?.extra["anything"];
  const requestId: string | null = response.headers.get("x-request-id");
  const isWhole = data.alerts.length <= 3 && severity.length > 0 && evidence.every((text) => text.length > 1) && extra === undefined;
  tell(name, isWhole && requestId ? null : "members are lost");
}

const { data: batch } = await client.POST("/v1/enrich/batch", {
  body: { requests: subjects.map(([field, value]) => ({ [field]: value })), format: "json" },
});
tell("typescript batch", batch?.results.every((item) => item.status === 200 && isEnrichment(item.enrichment)) ? null : "items are lost");
const { error } = await client.GET("/v1/enrich", { params: { query: { incident_id: "x", include: ["raw", "context"] } } });
tell("typescript problem", error?.code === "invalid_id" ? null : `read as ${JSON.stringify(error)}`);
