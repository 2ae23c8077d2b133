"""Reads the demonstration's answers with the client that openapi-python-client has made of schemas/openapi.json.

    python3 read_python.py CLIENT ORIGIN SUBJECTS

CLIENT: the generated folder. SUBJECTS: a JSON file, [[field, value], …]. A line per answer: `ok NAME` or `FAILED NAME: why`.
"""
import json
import sys

sys.path.insert(0, sys.argv[1])

from defender_enrich_client import AuthenticatedClient  # noqa: E402
from defender_enrich_client.api.lookups import enrich, enrich_batch, enrich_by_query  # noqa: E402
from defender_enrich_client.models import BatchRequest, EcsDocument, EnrichFormat, Enrichment, Problem, Request  # noqa: E402
from defender_enrich_client.models import OcsfBundle, OcsfFinding, SlackMessage, TeamsMessage  # noqa: E402

# This generator knows one media type an answer: formats that are no JSON are not for its clients.
KINDS = {"json": (Enrichment,), "ocsf": (OcsfFinding, OcsfBundle), "ecs": (list,), "slack": (SlackMessage,), "teams": (TeamsMessage,)}


def tell(name, fault):
    print(f"FAILED {name}: {fault}" if fault else f"ok {name}")


def fault_of(answer, kind):
    if answer.status_code != 200:
        return f"status {answer.status_code.value}"
    if not isinstance(answer.parsed, KINDS[kind]):
        return f"parsed as {type(answer.parsed).__name__}"
    if kind == "ecs" and not all(isinstance(document, EcsDocument) for document in answer.parsed):
        return "no ECS documents"
    if kind == "json":
        sent = json.loads(answer.content)
        # Times come back with other digits.
        if set(answer.parsed.to_dict()) != set(sent) or len(answer.parsed.alerts) != len(sent["alerts"]):
            return "members are lost"
        for alert, own in zip(answer.parsed.alerts, sent["alerts"]):
            for item, was in zip(alert.evidence, own["evidence"]):
                if item.type_ != was["type"] or set(item.to_dict()) != set(was):
                    return f"evidence {was['type']} is not the same"
    return None


def main():
    client = AuthenticatedClient(base_url=sys.argv[2], token="demo-key", timeout=60)
    subjects = json.load(open(sys.argv[3], encoding="utf-8"))
    for field, value in subjects:
        for kind in KINDS:
            answer = enrich.sync_detailed(client=client, body=Request.from_dict({field: value}), format_=EnrichFormat(kind))
            tell(f"python {field} {value} {kind}", fault_of(answer, kind))
        answer = enrich_by_query.sync_detailed(client=client, **{field: value})
        tell(f"python {field} {value} by query", fault_of(answer, "json"))
    answer = enrich_batch.sync(client=client, body=BatchRequest.from_dict({"requests": [{field: value} for field, value in subjects]}))
    whole = answer and len(answer.results) == len(subjects) and all(isinstance(item.enrichment, Enrichment) for item in answer.results)
    tell("python batch", None if whole else f"read as {answer}")
    answer = enrich.sync(client=client, body=Request(alert_id="a b"))
    tell("python problem", None if isinstance(answer, Problem) and answer.code.value == "invalid_id" else f"read as {answer}")


main()
