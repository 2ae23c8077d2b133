#!/usr/bin/env python3
"""Whether `format=ocsf` keeps the rules of OCSF 1.8.0, with real output: every sample alert, incident and list of both
backends goes through the service beside the stand-ins of the acceptance tests, and every event through the validator of
the compiled schema and through the JSON Schemas of its class.

    python3 .ci/ocsf_check.py [--serve target/release/defender-enrich] [--shared ../shared] [--verbose]

A line per failed expectation, and last `ocsf: N passed, M failed` (questions). Exit status 1 if any failed, or none ran.
Standard library only.
"""
import argparse
import json
import os
import re
import sys
from pathlib import Path
from types import SimpleNamespace

ROOT = Path(__file__).resolve().parent.parent
SHOWN = 12                                   # failures printed per question
FIELDS = ("alert_id", "incident_id", "machine", "user", "file_hash")


class Schema:
    """A JSON Schema, as far as those of OCSF go; a keyword that is not known here is a failure."""

    IGNORED = {"$schema", "$id", "$defs", "title", "description"}
    TYPES = {"object": dict, "array": list, "string": str, "boolean": bool}

    def __init__(self, document):
        self.root = document

    def errors(self, value, schema=None, path="event"):
        schema = self.root if schema is None else schema
        if schema is True:
            return []
        if schema is False:
            return [f"{path}: not allowed"]
        found = []
        for keyword, rule in schema.items():
            if keyword not in self.IGNORED:
                check = getattr(self, "_" + keyword.strip("$").lower(), None)
                found += check(value, rule, path, schema) if check else [f"{path}: keyword {keyword} is not known"]
        return found

    def _ref(self, value, rule, path, _):
        target = self.root
        for part in rule.removeprefix("#/").split("/"):
            target = target[part]
        return self.errors(value, target, path)

    def _type(self, value, rule, path, _):
        def fits(name):
            if name in ("integer", "number"):
                return not isinstance(value, bool) and isinstance(value, int if name == "integer" else (int, float))
            return value is None if name == "null" else isinstance(value, self.TYPES[name])
        names = rule if isinstance(rule, list) else [rule]
        return [] if any(fits(name) for name in names) else [f"{path}: {value!r:.60} is no {rule}"]

    def _enum(self, value, rule, path, _):
        return [] if value in rule else [f"{path}: {value!r:.60} is none of the enumeration"]

    def _minimum(self, value, rule, path, _):
        return [f"{path}: {value} < {rule}"] if isinstance(value, (int, float)) and value < rule else []

    def _maximum(self, value, rule, path, _):
        return [f"{path}: {value} > {rule}"] if isinstance(value, (int, float)) and value > rule else []

    def _maxlength(self, value, rule, path, _):
        return [f"{path}: longer than {rule}"] if isinstance(value, str) and len(value) > rule else []

    def _required(self, value, rule, path, _):
        return [f"{path}: {name} is missing" for name in rule if isinstance(value, dict) and name not in value]

    def _properties(self, value, rule, path, _):
        members = value.items() if isinstance(value, dict) else ()
        return [e for name, inner in members if name in rule for e in self.errors(inner, rule[name], f"{path}.{name}")]

    def _additionalproperties(self, value, rule, path, schema):
        others = set(value) - set(schema.get("properties", {})) if isinstance(value, dict) else ()
        return [e for name in sorted(others) for e in self.errors(value[name], rule, f"{path}.{name}")]

    def _items(self, value, rule, path, _):
        items = enumerate(value) if isinstance(value, list) else ()
        return [e for at, item in items for e in self.errors(item, rule, f"{path}[{at}]")]

    def _anyof(self, value, rule, path, _):
        return [] if any(not self.errors(value, one, path) for one in rule) else [f"{path}: none of anyOf"]

    def _oneof(self, value, rule, path, _):
        fits = sum(not self.errors(value, one, path) for one in rule)
        return [] if fits == 1 else [f"{path}: {fits} of oneOf"]


def nothings(value, path="event"):
    """Where nulls, empty lists and empty objects are."""
    if value is None or value == [] or value == {}:
        return [f"{path} is {json.dumps(value)}"]
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [line for name, item in inner for line in nothings(item, f"{path}.{name}")]


class Check:
    def __init__(self, shared):
        ocsf = shared / "ocsf"
        sys.path.insert(0, str(ocsf))
        import ocsf_validate
        self.validator = ocsf_validate.V(json.loads((ocsf / "ocsf-1.8.0-findings.json").read_text()))
        self.schemas = {uid: Schema(json.loads((ocsf / f"ocsf-{uid}.schema.json").read_text())) for uid in (2004, 2005)}
        self.passed = self.failed = self.events = 0

    def score(self, about, lines, verbose):
        self.failed, self.passed = self.failed + bool(lines), self.passed + (not lines)
        for line in lines[:SHOWN]:
            print(f"{about}: {line}", flush=True)
        if len(lines) > SHOWN:
            print(f"{about}: … and {len(lines) - SHOWN} more", flush=True)
        if verbose and not lines:
            print(f"ok   {about}", flush=True)

    def event(self, event):
        """What is wrong with one event."""
        self.events += 1
        judged = self.validator.run(event)
        lines = [f"{kind} {path}: {code} {text}" for kind, found in (("error", judged.e), ("warning", judged.w)) for path, code, text in found]
        schema = self.schemas.get(event.get("class_uid"))
        lines += [f"schema {error}" for error in schema.errors(event)] if schema else ["a class that is none of ours"]
        lines += nothings(event)
        seen = [(o.get("type_id"), o.get("value")) for o in event.get("observables", [])]
        lines += [f"observable twice: {one}" for one in {o for o in seen if seen.count(o) > 1}]
        return lines


def of_kind(field, document):
    """The events of a document, and what is wrong with its frame."""
    if field in ("alert_id", "incident_id"):
        right = {"alert_id": 2004, "incident_id": 2005}[field]
        return [document], [] if document.get("class_uid") == right else [f"no event of class {right}"]
    lines = [] if list(document) in (["events", "count", "start_time", "end_time"], ["events", "count"]) else [f"a bundle of {list(document)}"]
    events = document.get("events", [])
    times = [event.get("time", 0) for event in events]
    frame = (document.get("count"), document.get("start_time"), document.get("end_time"))
    if frame != (len(events), min(times, default=None), max(times, default=None)):
        lines.append(f"the frame says {frame}")
    return events, lines


def question(check, service, field, value):
    """Everything that is wrong with the answers to one question."""
    asked = {field: value, "limit": 500, "include": "context"}
    answer = service.enrich({**asked, "format": "ocsf"})
    if answer.status != 200 or answer.json is None:
        return [f"{answer} instead of an event"]
    events, lines = of_kind(field, answer.json)
    if answer.type() != "application/json":
        lines.append(f"the type is {answer.type()}")
    for at, event in enumerate(events):
        lines += [f"[{at}] {line}" for line in check.event(event)]
    again = service.enrich({**asked, "format": "ocsf"})
    if again.body != answer.body:
        lines.append("asked twice, and other bytes came")
    stream = service.enrich({**asked, "format": "ocsf_ndjson"})
    if stream.type() != "application/x-ndjson" or (stream.body and not stream.body.endswith(b"\n")):
        lines.append(f"the lines are {stream.type()}, or do not end")
    if [json.loads(line) for line in stream.body.splitlines()] != events:
        lines.append("the lines are other events")
    plain = service.enrich(asked).json
    told = [plain["id"]] if field == "incident_id" else [alert["id"] for alert in plain["alerts"] if alert["id"]]
    named = [event["metadata"]["original_event_uid"] for event in events]
    if [uid for uid in named if not re.fullmatch(r"[0-9a-f]{8}-[0-9a-f]{4}-8[0-9a-f]{3}-.*", uid)] != told:
        lines.append(f"the answer has {told}, the events are of {named}")
    return lines + raw(check, service, field, asked, told)


def raw(check, service, field, asked, ids):
    """With the upstream body, every event carries its own."""
    answer = service.enrich({**asked, "format": "ocsf", "include": "raw,context"})
    if answer.status != 200:
        return [f"with raw: {answer}"]
    lines = []
    for event in of_kind(field, answer.json)[0]:
        lines += [f"with raw: {line}" for line in check.event(event)]
        uid, text = event["metadata"]["original_event_uid"], event.get("raw_data")
        if text is None:
            lines += [f"{uid} has no raw_data"] if uid in ids else []
            continue
        if event["raw_data_size"] != len(text.encode()):
            lines.append(f"raw_data_size of {uid} is {event['raw_data_size']}")
        if uid not in text:
            lines.append(f"raw_data of {uid} is of another")
    return lines


def questions(records, graph):
    """Every record of the samples, as something to ask."""
    if graph:
        import agree_graph
        items = [item for alert in records.graph_alerts.values() for item in agree_graph.items_of(alert)]
        files = [item.get("fileDetails") or item.get("imageFile") or {} for item in items]
        accounts = [item.get("userAccount") or {} for item in items]
        devices = {str(item.get("mdeDeviceId")).lower() for item in items if re.fullmatch(r"[0-9a-f]{40}", str(item.get("mdeDeviceId")), re.I)}
        yield from (("alert_id", key) for key in records.graph_alerts)
        yield from (("incident_id", key) for key in records.graph_incidents if key.isdigit())
        yield from (("machine", key) for key in sorted(devices))
        yield from (("user", name) for name in sorted({a["accountName"].lower() for a in accounts if a.get("accountName")}))
        yield from (("file_hash", sha1) for sha1 in sorted({f["sha1"].lower() for f in files if f.get("sha1")}))
    else:
        yield from (("alert_id", key) for key in records.alerts)
        yield from (("incident_id", key) for key in records.incidents)
        yield from (("machine", key) for key in records.machine_ids())
        yield from (("user", name) for name in records.user_names())
        yield from (("file_hash", sha1) for sha1 in records.sha1s())


def unknown(service):
    """What was not found is an empty bundle, or no line."""
    lines = []
    for field, value in (("alert_id", "da1_1"), ("incident_id", "999999999")):
        for form, right in (("ocsf", b'{"events":[],"count":0}'), ("ocsf_ndjson", b"")):
            answer = service.enrich({field: value, "not_found": 200, "format": form})
            if answer.status != 200 or answer.body != right:
                lines.append(f"{form} of an unknown {field}: {answer} {answer.body[:80]!r}")
    return lines


def main():
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--serve", metavar="BIN", default=str(ROOT / "target/release/defender-enrich"), help="the defender-enrich program")
    options.add_argument("--shared", metavar="DIR", type=Path, default=ROOT / "../shared", help="where the validator, the stand-ins and the samples are")
    options.add_argument("--verbose", "-v", action="store_true", help="a line per question as well")
    options = options.parse_args()
    shared = options.shared.resolve()
    if not (shared / "ocsf" / "ocsf_validate.py").is_file() or not os.access(options.serve, os.X_OK):
        print(f"no validator in {shared}/ocsf, or no program {options.serve}")
        print("ocsf: 0 passed, 0 failed")
        return 1
    check = Check(shared)
    sys.path.insert(0, str(shared / "accept"))
    import records
    import samples
    from fakes import Fakes
    from harness import Trial

    known = records.invented(samples.Records([shared / "samples" / "mde", shared / "samples" / "graph"]))
    fakes = Fakes(known).start()
    for backend in ("defender", "graph"):
        fakes.reset()
        fakes.records = known.copy()
        trial = Trial(SimpleNamespace(serve=os.path.abspath(options.serve)), fakes)
        try:
            service = trial.serve(DEFENDER_BACKEND=backend)
            for field, value in questions(trial.records, backend == "graph"):
                try:
                    lines = question(check, service, field, value)
                except (KeyError, TypeError, ValueError) as broken:
                    lines = [f"stopped by {broken!r}"]
                check.score(f"{backend} {field} {value}", lines, options.verbose)
            check.score(f"{backend} unknown", unknown(service), options.verbose)
        finally:
            trial.close()
        check.score(f"{backend} all", trial.failures, options.verbose)
    fakes.stop()
    print(f"{check.events} events were validated")
    print(f"ocsf: {check.passed} passed, {check.failed} failed")
    return 1 if check.failed or not check.events else 0


if __name__ == "__main__":
    sys.exit(main())
