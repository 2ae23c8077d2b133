#!/usr/bin/env python3
"""What scripts/package makes and what examples/terraform grants, held against template.yaml.

The packaged template has to expand without a build and differ from the template in nothing but its code and processor; the zip
has to hold the program that SAM built; the bill of materials has to name what Cargo links; and every statement of the role in
examples/terraform has to be one of the template's. A line per failed expectation, and last `package: N passed, M failed`.

    python package_check.py FOLDER ARCHITECTURE BOOTSTRAP    (needs aws-sam-translator, python-hcl2)
"""
import copy
import hashlib
import json
import os
import stat
import sys
import zipfile
from pathlib import Path

import hcl2

os.environ.setdefault("AWS_DEFAULT_REGION", "eu-central-1")
from samtranslator.translator.transform import transform  # noqa: E402
from samtranslator.yaml_helper import yaml_parse  # noqa: E402

ROOT = Path(__file__).resolve().parent.parent
passed, failures = 0, []


def same(what, found, expected):
    global passed
    if found == expected:
        passed += 1
    else:
        failures.append(f"{what}: {found!r}, expected {expected!r}")


def check_package(folder, architecture, bootstrap):
    archive = folder / f"lambda-{architecture}.zip"
    with zipfile.ZipFile(archive) as opened:
        same("files of the zip", opened.namelist(), ["bootstrap"])
        same("mode of the program", stat.filemode(opened.getinfo("bootstrap").external_attr >> 16), "-rwxr-xr-x")
        program = opened.read("bootstrap")
    same("the program is SAM's", hashlib.sha256(program).hexdigest(), hashlib.sha256(bootstrap.read_bytes()).hexdigest())

    template, packaged = (yaml_parse(path.read_text()) for path in (ROOT / "template.yaml", folder / f"template-{architecture}.yaml"))
    function = packaged["Resources"]["EnrichFunction"]
    same("the packaged code", function["Properties"]["CodeUri"], archive.name)
    same("how SAM would build it", [k for k in function["Metadata"] if k.startswith("Build")], [])
    same("the processors", packaged["Parameters"]["Architecture"]["AllowedValues"], [architecture])
    made = copy.deepcopy(packaged)
    made["Resources"]["EnrichFunction"]["Properties"]["CodeUri"] = "s3://bucket/key"
    expanded = transform(made, {}, type("NoManagedPolicies", (), {"load": staticmethod(dict)})())
    same("it expands", "EnrichFunctionAliaslive" in expanded["Resources"], True)
    for written in (template, packaged):
        written["Resources"]["EnrichFunction"]["Properties"].pop("CodeUri")
        for name in ("BuildMethod", "BuildProperties"):
            written["Resources"]["EnrichFunction"]["Metadata"].pop(name, None)
        written["Parameters"].pop("Architecture")
    same("all else is the template's", packaged, template)

    bill = json.loads((folder / f"sbom-{architecture}.cdx.json").read_text())
    same("form of the bill", (bill["bomFormat"], bill["specVersion"]), ("CycloneDX", "1.6"))
    same("the bill is this program's", bill["metadata"]["component"]["hashes"], [{"alg": "SHA-256", "content": hashlib.sha256(program).hexdigest()}])
    names = {component["name"] for component in bill["components"]}
    same("what the program is made of", {"axum", "lambda_http", "reqwest", "ring", "rustls"} - names, set())
    same("what only laptops and tests have", names & {"clap", "insta", "proptest", "aws-config"}, set())
    same("components without a licence or a checksum", [c["name"] for c in bill["components"] if "licenses" not in c or "hashes" not in c], [])
    references = {c["bom-ref"] for c in (bill["metadata"]["component"], *bill["components"])}
    same("dependencies lead to components", {d for entry in bill["dependencies"] for d in entry["dependsOn"]} - references, set())
    sums = dict(reversed(line.split("  ")) for line in (folder / "SHA256SUMS").read_text().splitlines())
    same("checksums", sums, {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in folder.iterdir() if path.name != "SHA256SUMS"})


def bare(value):
    """A value of python-hcl2 without the quotes that it keeps."""
    if isinstance(value, list):
        return [bare(v) for v in value]
    if isinstance(value, dict):
        return {bare(k): bare(v) for k, v in value.items() if k != "__is_block__"}
    return value.strip('"') if isinstance(value, str) else value


def check_terraform():
    template = yaml_parse((ROOT / "template.yaml").read_text())
    many = lambda value: value if isinstance(value, list) else [value]
    conditions = lambda given: {(test, name, tuple(map(str, many(value)))) for test, pairs in given.items() for name, value in pairs.items() if isinstance(value, (str, int))}
    documents = {}
    with open(ROOT / "examples/terraform/main.tf") as file:
        example = bare(hcl2.load(file))
    for block in example["data"]:
        documents.update(block.get("aws_iam_policy_document", {}))
    written = documents["enrich"]
    found = [*written["statement"], *(content for dynamic in written["dynamic"] for content in dynamic["statement"]["content"])]
    promised = {}
    for statement in template["Resources"]["EnrichRole"]["Properties"]["Policies"][0]["PolicyDocument"]["Statement"]:
        statement = statement.get("Fn::If", [None, statement])[1]
        promised[statement["Sid"]] = statement
    same("Terraform's statements", sorted(s["sid"] for s in found), ["DecryptItsSecrets", "DecryptItsTable", "ProveItsIdentityToEntra", "ReadItsSecrets", "ShareItsQuota", "WriteItsLog"])
    for statement in found:
        model = promised[statement["sid"]]
        same(f"Terraform: actions of {statement['sid']}", statement["actions"], many(model["Action"]))
        same(f"Terraform: {statement['sid']} is for everything", statement["resources"] == ["*"], model["Resource"] == "*")
        tests = {(c["test"], c["variable"], tuple(c["values"])) for c in statement.get("condition", [])}
        same(f"Terraform: conditions of {statement['sid']}", {t for t in tests if "${" not in str(t)}, conditions(model.get("Condition", {})))
        same(f"Terraform: number of conditions of {statement['sid']}", len(tests), sum(len(pairs) for pairs in model.get("Condition", {}).values()))
    model = template["Resources"]["StateTable"]["Properties"]
    table, = (block["aws_dynamodb_table"]["state"] for block in example["resource"] if "aws_dynamodb_table" in block)
    attribute, ttl = table["attribute"][0], table["ttl"][0]
    same("Terraform: the table's key", [{"AttributeName": attribute["name"], "AttributeType": attribute["type"]}], model["AttributeDefinitions"])
    same("Terraform: the table's payment and key", (table["billing_mode"], table["hash_key"]), (model["BillingMode"], model["KeySchema"][0]["AttributeName"]))
    same("Terraform: what expires", {"AttributeName": ttl["attribute_name"], "Enabled": ttl["enabled"]}, model["TimeToLiveSpecification"])
    schedule = template["Resources"]["SelfCheckRole"]["Properties"]["Policies"][0]["PolicyDocument"]["Statement"]
    same("Terraform: what the schedule may do", [s["actions"] for s in documents["check"]["statement"]], [many(s["Action"]) for s in schedule])


def main():
    folder, architecture, bootstrap = sys.argv[1:]
    check_package(Path(folder), architecture, Path(bootstrap))
    check_terraform()
    for failure in failures:
        print(failure)
    print(f"package: {passed} passed, {len(failures)} failed")
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
