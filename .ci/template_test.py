#!/usr/bin/env python3
"""What template.yaml grants, sets and refuses, worked out offline.

SAM expands the template, a small evaluator resolves the expansion for several sets of parameters, and the result is
compared with what it must be. Then the template is spoiled in several ways, each of which must be noticed: a check that
cannot fail proves nothing. A line per failed expectation, and last `template: N passed, M failed`.

    python template_test.py [template.yaml]        (needs aws-sam-translator)
"""
import copy
import json
import logging
import os
import re
import sys
from pathlib import Path

os.environ.setdefault("AWS_DEFAULT_REGION", "eu-central-1")
from samtranslator.translator.transform import transform  # noqa: E402
from samtranslator.yaml_helper import yaml_parse  # noqa: E402

logging.getLogger("samtranslator").setLevel(logging.ERROR)    # it complains of metrics that nobody collects here

TEMPLATE = Path(__file__).resolve().parent.parent / "template.yaml"
ACCOUNT, REGION = "123456789012", "eu-central-1"
PSEUDO = {"AWS::AccountId": ACCOUNT, "AWS::Region": REGION, "AWS::Partition": "aws", "AWS::URLSuffix": "amazonaws.com",
          "AWS::StackName": "enrich"}
DEFENDER = f"arn:aws:secretsmanager:{REGION}:{ACCOUNT}:secret:defender-Ab12Cd"
CALLERS = f"arn:aws:secretsmanager:{REGION}:{ACCOUNT}:secret:callers-Ef34Gh"
KEY = f"arn:aws:kms:{REGION}:{ACCOUNT}:key/1234abcd-12ab-34cd-56ef-1234567890ab"
TOPIC = f"arn:aws:sns:{REGION}:{ACCOUNT}:soc"

USUAL = {"DefenderSecretArn": DEFENDER, "CallerSecretArn": CALLERS}
IAM = {"DefenderSecretArn": DEFENDER, "AuthMode": "iam"}

# Every statement that the function's role may hold.
LOG = {"Sid": "WriteItsLog", "Effect": "Allow", "Action": ["logs:CreateLogStream", "logs:PutLogEvents"], "Resource": "<FunctionLogGroup.Arn>"}
DECRYPT = {"Sid": "DecryptItsSecrets", "Effect": "Allow", "Action": "kms:Decrypt", "Resource": KEY,
           "Condition": {"StringEquals": {"kms:ViaService": f"secretsmanager.{REGION}.amazonaws.com"}}}
IDENTITY = {"Sid": "ProveItsIdentityToEntra", "Effect": "Allow", "Action": "sts:GetWebIdentityToken", "Resource": "*",
            "Condition": {"ForAllValues:StringEquals": {"sts:IdentityTokenAudience": "api://AzureADTokenExchange"},
                          "Null": {"sts:IdentityTokenAudience": "false"},
                          "StringEquals": {"sts:SigningAlgorithm": "RS256"},
                          "NumericLessThanEquals": {"sts:DurationSeconds": 300}}}

SHARE = {"Sid": "ShareItsQuota", "Effect": "Allow", "Action": ["dynamodb:GetItem", "dynamodb:PutItem", "dynamodb:UpdateItem"], "Resource": "<StateTable.Arn>"}
DECRYPT_TABLE = {"Sid": "DecryptItsTable", "Effect": "Allow", "Action": "kms:Decrypt", "Resource": KEY,
                 "Condition": {"StringEquals": {"kms:ViaService": f"dynamodb.{REGION}.amazonaws.com"}}}
TRACES = {"Sid": "RecordTraces", "Effect": "Allow", "Action": ["xray:PutTraceSegments", "xray:PutTelemetryRecords"], "Resource": "*"}
NETWORK = {"Sid": "UseItsNetwork", "Effect": "Allow", "Resource": "*",
           "Action": ["ec2:CreateNetworkInterface", "ec2:DescribeNetworkInterfaces", "ec2:DescribeSubnets", "ec2:DeleteNetworkInterface",
                      "ec2:AssignPrivateIpAddresses", "ec2:UnassignPrivateIpAddresses"]}


def secrets(*arns):
    return {"Sid": "ReadItsSecrets", "Effect": "Allow", "Action": "secretsmanager:GetSecretValue", "Resource": list(arns)}


# parameters, the statements of the role, whether the HTTP API asks for a signature, the Function URL's AuthType
SETS = {
    "api keys": (USUAL, [secrets(DEFENDER, CALLERS), LOG], False, None),
    "own KMS key": ({**USUAL, "SecretsKmsKeyArn": KEY}, [secrets(DEFENDER, CALLERS), LOG, DECRYPT], False, None),
    "open Function URL": ({**USUAL, "FunctionUrl": "NONE"}, [secrets(DEFENDER, CALLERS), LOG], False, "NONE"),
    "signed Function URL": ({**USUAL, "FunctionUrl": "AWS_IAM"}, [secrets(DEFENDER, CALLERS), LOG], False, "AWS_IAM"),
    "signatures": (IAM, [secrets(DEFENDER), LOG], True, None),
    "signatures everywhere": ({**IAM, "FunctionUrl": "AWS_IAM"}, [secrets(DEFENDER), LOG], True, "AWS_IAM"),
    "federated": ({**USUAL, "FederatedCredential": "true"}, [secrets(DEFENDER, CALLERS), LOG, IDENTITY], False, None),
    "shared quota": ({**USUAL, "SharedQuota": "true"}, [secrets(DEFENDER, CALLERS), LOG, SHARE], False, None),
    "shared quota, own KMS key": ({**USUAL, "SharedQuota": "true", "StateKmsKeyArn": KEY}, [secrets(DEFENDER, CALLERS), LOG, SHARE, DECRYPT_TABLE], False, None),
    "a key for no table": ({**USUAL, "StateKmsKeyArn": KEY}, [secrets(DEFENDER, CALLERS), LOG], False, None),
    "traced": ({**USUAL, "Tracing": "Active"}, [secrets(DEFENDER, CALLERS), LOG, TRACES], False, None),
    "in a network": ({**USUAL, "SubnetIds": "subnet-0a1b", "SecurityGroupIds": "sg-0a1b"}, [secrets(DEFENDER, CALLERS), LOG, NETWORK], False, None),
    "everything": ({**USUAL, "FederatedCredential": "true", "SecretsKmsKeyArn": KEY, "AuthMode": "iam", "FunctionUrl": "AWS_IAM"},
                   [secrets(DEFENDER, CALLERS), LOG, DECRYPT, IDENTITY], True, "AWS_IAM"),
    "anonymous": ({"DefenderSecretArn": DEFENDER, "AuthMode": "none", "AllowAnonymous": "true", "FunctionUrl": "NONE"},
                  [secrets(DEFENDER), LOG], False, "NONE"),
}

# parameters, and the rule that refuses them
REFUSED = {
    "nobody asked who calls": ({**USUAL, "AuthMode": "none"}, "AnonymousIsDeliberate"),
    "nobody asked who calls, behind a signed URL too": ({**USUAL, "AuthMode": "none", "FunctionUrl": "AWS_IAM"}, "AnonymousIsDeliberate"),
    "API keys from nowhere": ({"DefenderSecretArn": DEFENDER}, "ApiKeysHaveASecret"),
    "API keys from nowhere, anonymous allowed": ({"DefenderSecretArn": DEFENDER, "AllowAnonymous": "true"}, "ApiKeysHaveASecret"),
    "signatures with an open URL": ({**IAM, "FunctionUrl": "NONE"}, "IamMeansEveryDoor"),
    "nothing reserved and no share": ({**USUAL, "ReservedConcurrency": "0"}, "UnreservedNeedsAShare"),
    "a region of another cloud": ({**USUAL, "DefenderCloud": "gcc_high", "DefenderRegion": "eu"}, "RegionsAreCommercial"),
}

# One wrong value per parameter that takes free text.
MALFORMED = {
    "DefenderSecretArn": ["", "defender", DEFENDER[:-7], DEFENDER.replace(":secret:", ":secret:*"), "arn:aws:s3:::bucket-Ab12Cd"],
    "CallerSecretArn": ["callers", CALLERS + "*"],
    "SecretsKmsKeyArn": ["alias/secrets", f"arn:aws:kms:{REGION}:{ACCOUNT}:key/*", f"arn:aws:kms:{REGION}:{ACCOUNT}:alias/secrets"],
    "AlarmTopicArn": ["soc", f"arn:aws:sns:{REGION}:{ACCOUNT}:*"],
    "StateKmsKeyArn": ["alias/state", f"arn:aws:kms:{REGION}:{ACCOUNT}:key/*"],
    "LogKmsKeyArn": ["alias/logs", f"arn:aws:kms:{REGION}:{ACCOUNT}:key/*"],
    "QuotaShare": ["0", "-1", "many"],
    "ThrottleBurst": ["0", "-1", "many"],
    "McpOrigins": ["*", "chat.contoso.com", "https://chat.contoso.com/x"],
    "QuotaPerMinute": ["0", "-1", "1.5", "many"],
    "QuotaPerHour": ["0", "-1", "1e3"],
}

ENVIRONMENT = {
    "DEFENDER_SECRET_ID": DEFENDER, "CALLER_SECRET_ID": CALLERS, "SECRET_TTL_S": "300", "ENRICH_AUTH": "api_key", "ENRICH_ALLOW_ANONYMOUS": "false",
    "ENRICH_TIMEOUT_MS": "10000", "ENRICH_PAGE": "false", "ENRICH_ALLOW_PRIVATE_DESTINATIONS": "false", "DEFENDER_BACKEND": "auto", "DEFENDER_CLOUD": "commercial", "CACHE_TTL_S": "60", "CACHE_STALE_S": "900",
    "QUOTA_SHARE": "2",
}

ALIAS = "<EnrichFunctionAliaslive>"
# Each alarm, and its section of the runbook.
ALARMS = {
    "CheckWarningAlarm": "the-check-warning-alarm", "CredentialAlarm": "the-credential-alarm", "FunctionErrorsAlarm": "the-function-errors-alarm", "QuotaAlarm": "the-quota-alarm",
    "SharedQuotaAlarm": "the-shared-quota-alarm", "SlowAlarm": "the-slow-alarm", "ThrottlesAlarm": "the-throttles-alarm", "UnansweredAlarm": "the-unanswered-alarm",
}

NOTHING = object()                                    # what AWS::NoValue leaves


class Template:
    """The template as written, and as SAM expands it."""

    def __init__(self, written):
        self.written, packaged = written, copy.deepcopy(written)
        packaged["Resources"]["EnrichFunction"]["Properties"]["CodeUri"] = "s3://bucket/key"    # as `sam package` would
        self.expanded = transform(packaged, {}, type("NoManagedPolicies", (), {"load": staticmethod(dict)})())

    def __getitem__(self, section):
        return self.written[section]


class Stack:
    """The expanded template for one set of parameters."""

    def __init__(self, template, given):
        unknown = set(given) - set(template["Parameters"])
        if unknown:
            raise KeyError(f"no parameters: {unknown}")
        self.values = {name: str(given.get(name, about.get("Default", ""))) for name, about in template["Parameters"].items()}
        self.template = template.expanded
        self.conditions = self.template.get("Conditions", {})
        self.resources = {name: self.resolve({k: v for k, v in r.items() if k != "Condition"})
                          for name, r in self.template["Resources"].items() if "Condition" not in r or self.holds(r["Condition"])}

    def holds(self, name):
        return self.resolve(self.conditions[name])

    def resolve(self, value):
        if isinstance(value, list):
            return [r for r in map(self.resolve, value) if r is not NOTHING]
        if not isinstance(value, dict):
            return value
        if len(value) == 1:
            (function, argument), = value.items()
            if function == "Ref" or function.startswith("Fn::") or function == "Condition" and isinstance(argument, str):
                return self.call(function, argument)
        resolved = {k: self.resolve(v) for k, v in value.items()}
        return {k: v for k, v in resolved.items() if v is not NOTHING}

    def call(self, function, argument):
        if function == "Ref":
            return NOTHING if argument == "AWS::NoValue" else {**PSEUDO, **self.values}.get(argument, f"<{argument}>")
        if function == "Condition":
            return self.holds(argument)
        if function == "Fn::If":
            return self.resolve(argument[1] if self.holds(argument[0]) else argument[2])
        if function == "Fn::GetAtt":
            return "<" + (argument if isinstance(argument, str) else ".".join(argument)) + ">"
        if function == "Fn::Sub":
            text, local = (argument, {}) if isinstance(argument, str) else argument
            local = {k: self.resolve(v) for k, v in local.items()}
            return re.sub(r"\$\{([^}]+)\}", lambda m: str(local[m[1]] if m[1] in local else self.call("Ref", m[1])), text)
        arguments = self.resolve(argument)
        if function == "Fn::Equals":
            return str(arguments[0]) == str(arguments[1])
        if function == "Fn::Not":
            return not arguments[0]
        if function == "Fn::And":
            return all(arguments)
        if function == "Fn::Or":
            return any(arguments)
        if function == "Fn::Join":
            return str(arguments[0]).join(arguments[1])
        raise NotImplementedError(function)

    def refusals(self):
        """The rules whose condition holds and whose assertions do not."""
        return [name for name, rule in self.template.get("Rules", {}).items()
                if self.resolve(rule.get("RuleCondition", True)) and not all(self.resolve(a["Assert"]) for a in rule["Assertions"])]

    def of_type(self, kind):
        return {name: r.get("Properties", {}) for name, r in self.resources.items() if r["Type"] == kind}


class Score:
    def __init__(self):
        self.passed, self.failures = 0, []

    def same(self, what, found, expected):
        if found == expected:
            self.passed += 1
        else:
            self.failures.append(f"{what}: {found!r}, expected {expected!r}")


def allowed(parameter, value):
    """Whether CloudFormation would take this value for this parameter."""
    return re.fullmatch(parameter.get("AllowedPattern", ".*"), value) is not None


def check_permissions(score, name, stack, statements, signed, url):
    roles = stack.of_type("AWS::IAM::Role")
    score.same(f"{name}: roles", sorted(roles), ["CodeDeployServiceRole", "EnrichRole", "SelfCheckRole"])
    check = [s for policy in roles["SelfCheckRole"]["Policies"] for s in policy["PolicyDocument"]["Statement"]]
    score.same(f"{name}: what the schedule may do", check, [{"Effect": "Allow", "Action": "lambda:InvokeFunction", "Resource": ALIAS}])
    score.same(f"{name}: who may be the schedule", [s["Principal"] for s in roles["SelfCheckRole"]["AssumeRolePolicyDocument"]["Statement"]], [{"Service": "scheduler.amazonaws.com"}])
    role = roles.get("EnrichRole", {})
    score.same(f"{name}: managed policies", role.get("ManagedPolicyArns", []), [])
    found = [s for policy in role.get("Policies", []) for s in policy["PolicyDocument"]["Statement"]]
    score.same(f"{name}: statements", found, statements)
    score.same(f"{name}: actions on everything", [s["Action"] for s in found if "*" in s.get("Resource", "*")],
               [a for s, a in ((IDENTITY, "sts:GetWebIdentityToken"), (TRACES, TRACES["Action"]), (NETWORK, NETWORK["Action"])) if s in statements])
    trusted = [s["Principal"] for s in role.get("AssumeRolePolicyDocument", {}).get("Statement", [])]
    score.same(f"{name}: who may be the role", trusted, [{"Service": "lambda.amazonaws.com"}])
    others = [k for kind in ("AWS::IAM::Policy", "AWS::IAM::ManagedPolicy", "AWS::IAM::RolePolicy") for k in stack.of_type(kind)]
    score.same(f"{name}: other policies", others, [])

    function = stack.of_type("AWS::Lambda::Function")["EnrichFunction"]
    score.same(f"{name}: the function's role", function["Role"], "<EnrichRole.Arn>")

    api = f"arn:aws:execute-api:{REGION}:{ACCOUNT}:<HttpApi>/*/*/"
    doors = [("lambda:InvokeFunction", "apigateway.amazonaws.com", api), ("lambda:InvokeFunction", "apigateway.amazonaws.com", api + "*")]
    if url == "NONE":
        doors += [("lambda:InvokeFunction", "*", "through the Function URL only"), ("lambda:InvokeFunctionUrl", "*", "NONE")]
    narrowed = lambda p: p.get("SourceArn") or p.get("FunctionUrlAuthType") or (p.get("InvokedViaFunctionUrl") and "through the Function URL only")
    score.same(f"{name}: who may invoke", sorted((p["Action"], p["Principal"], str(narrowed(p))) for p in stack.of_type("AWS::Lambda::Permission").values()), sorted(doors))
    score.same(f"{name}: what callers invoke", sorted({p["FunctionName"] for p in stack.of_type("AWS::Lambda::Permission").values()}), [ALIAS])
    score.same(f"{name}: Function URLs", [u["AuthType"] for u in stack.of_type("AWS::Lambda::Url").values()], [url] if url else [])

    body = stack.of_type("AWS::ApiGatewayV2::Api")["HttpApi"]["Body"]
    score.same(f"{name}: routes", sorted(body["paths"]), ["/", "/{proxy+}"])
    for path, methods in body["paths"].items():
        for method, operation in methods.items():
            score.same(f"{name}: {path} {method} asks for", operation.get("security", []), [{"AWS_IAM": []}] if signed else [])
            score.same(f"{name}: {path} {method} calls the alias", ALIAS in operation["x-amazon-apigateway-integration"]["uri"], True)
            score.same(f"{name}: {path} {method} payload", operation["x-amazon-apigateway-integration"]["payloadFormatVersion"], "2.0")
    score.same(f"{name}: what AWS_IAM means", body["components"]["securitySchemes"]["AWS_IAM"].get("x-amazon-apigateway-authtype"), "awsSigv4")


def check_function(score, template):
    stack = Stack(template, USUAL)
    function = stack.of_type("AWS::Lambda::Function")["EnrichFunction"]
    as_text = lambda variables: {k: str(v) for k, v in variables.items()}
    score.same("environment", as_text(function["Environment"]["Variables"]), ENVIRONMENT)
    full = {"DefenderRegion": "eu", "DefenderBackend": "graph", "EnrichTimeoutMs": "8000", "Page": "true", "AllowPrivateDestinations": "true", "CacheTtlSeconds": "0", "CacheStaleSeconds": "5",
            "SecretTtlSeconds": "60", "QuotaPerMinute": "7", "QuotaPerHour": "70", "SplunkFields": "machine=dest",
            "McpOrigins": "https://chat.contoso.com", "SharedQuota": "true"}
    changed = {"DEFENDER_REGION": "eu", "DEFENDER_BACKEND": "graph", "ENRICH_PAGE": "true", "ENRICH_ALLOW_PRIVATE_DESTINATIONS": "true", "ENRICH_TIMEOUT_MS": "8000", "CACHE_TTL_S": "0", "CACHE_STALE_S": "5", "SECRET_TTL_S": "60",
               "QUOTA_PER_MINUTE": "7", "QUOTA_PER_HOUR": "70", "SPLUNK_FIELDS": "machine=dest", "MCP_ORIGINS": "https://chat.contoso.com", "STATE_TABLE": "<StateTable>"}
    score.same("environment, all parameters given", as_text(Stack(template, {**USUAL, **full}).of_type("AWS::Lambda::Function")["EnrichFunction"]["Environment"]["Variables"]),
               {**ENVIRONMENT, **changed})
    bare = Stack(template, {**IAM, "DefenderCloud": "dod"}).of_type("AWS::Lambda::Function")["EnrichFunction"]["Environment"]["Variables"]
    score.same("environment, what is not given is not set", [k for k, v in bare.items() if v == "" or k in ("CALLER_SECRET_ID", "DEFENDER_REGION")], [])
    score.same("environment, signatures", (bare["ENRICH_AUTH"], bare["DEFENDER_CLOUD"]), ("iam", "dod"))

    score.same("runtime", (function["Runtime"], function["Handler"]), ("provided.al2023", "bootstrap"))
    built = template["Resources"]["EnrichFunction"].get("Metadata", {})
    score.same("built by", (built.get("BuildMethod"), built.get("BuildProperties")), ("rust-cargolambda", {"Binary": "lambda"}))
    score.same("architecture", function["Architectures"], ["arm64"])
    other = Stack(template, {**USUAL, "Architecture": "x86_64", "LambdaTimeout": "20", "MemorySize": "512"}).of_type("AWS::Lambda::Function")["EnrichFunction"]
    score.same("architecture, timeout and memory as asked", (other["Architectures"], other["Timeout"], other["MemorySize"]), (["x86_64"], "20", "512"))
    score.same("the deadline ends before Lambda's", int(ENVIRONMENT["ENRICH_TIMEOUT_MS"]) < int(function["Timeout"]) * 1000, True)

    declared = template["Parameters"]
    score.same("environments", [declared["ReservedConcurrency"].get(bound) for bound in ("MinValue", "MaxValue")], [0, 50])
    unreserved = Stack(template, {**USUAL, "ReservedConcurrency": "0", "QuotaShare": "7"}).of_type("AWS::Lambda::Function")["EnrichFunction"]
    score.same("nothing reserved", ("ReservedConcurrentExecutions" in unreserved, unreserved["Environment"]["Variables"]["QUOTA_SHARE"]), (False, "7"))
    for n in (1, 7, 50):
        share = Stack(template, {**USUAL, "ReservedConcurrency": n}).of_type("AWS::Lambda::Function")["EnrichFunction"]
        quota = {k: str(v) for k, v in share["Environment"]["Variables"].items() if k.startswith("QUOTA")}
        score.same(f"share of each of {n}", (str(share["ReservedConcurrentExecutions"]), quota), (str(n), {"QUOTA_SHARE": str(n)}))

    for name in [n for n, about in declared.items() if about.get("Default") == ""]:
        score.same(f"{name} may be left out", allowed(declared[name], "") and "" in declared[name].get("AllowedValues", [""]), True)
    for name, values in MALFORMED.items():
        for value in values:
            score.same(f"{name} takes {value!r}", allowed(declared[name], value), False)
    for name, value in {**USUAL, "SecretsKmsKeyArn": KEY, "AlarmTopicArn": TOPIC, "QuotaPerMinute": "7", "QuotaPerHour": "70"}.items():
        score.same(f"{name} takes {value!r}", allowed(declared[name], value), True)
    score.same("parameters without a sentence", [n for n, about in declared.items() if not about.get("Description", "").endswith((".", ")."))], [])
    grouped = [p for group in template["Metadata"]["AWS::CloudFormation::Interface"]["ParameterGroups"] for p in group["Parameters"]]
    score.same("parameters in groups", sorted(grouped), sorted(declared))


def references(node):
    """The names that a part of a template refers to, with those in its conditions."""
    if isinstance(node, list):
        return set().union(*map(references, node))
    if not isinstance(node, dict):
        return set()
    found = {node["Ref"]} if isinstance(node.get("Ref"), str) else set()
    if "Fn::Sub" in node:
        found |= set(re.findall(r"\$\{(\w+)\}", str(node["Fn::Sub"])))
    return found | set().union(*(references(v) for v in node.values()))


def check_versions(score, template):
    """A change of any parameter that the function reads has to publish a version: callers reach a version only."""
    function, = (r for r in template.expanded["Resources"].values() if r["Type"] == "AWS::Lambda::Function")
    conditions = {n for n, c in template.expanded["Conditions"].items() if f'"{n}"' in json.dumps(function)}
    read = references(function) | set().union(*(references(template.expanded["Conditions"][n]) for n in conditions))
    version, = (r for r in template.expanded["Resources"].values() if r["Type"] == "AWS::Lambda::Version")
    by_hand = {"DefenderSecretArn", "CallerSecretArn", "SplunkFields", "McpOrigins", "SubnetIds", "SecurityGroupIds"}
    score.same("parameters that publish a version", sorted(references(version["Properties"]["Description"])), sorted((read & set(template["Parameters"])) - by_hand | {"Revision"}))
    score.same("Revision says what needs it", [n for n in ("secret's ARN", "SplunkFields", "SubnetIds", "SecurityGroupIds") if n not in template["Parameters"]["Revision"]["Description"]], [])
    longest = {}
    for name in references(version["Properties"]["Description"]):
        about = template["Parameters"][name]
        limit = re.search(r"\{(?:\d+,)?(\d+)\}", about.get("AllowedPattern", ""))
        longest[name] = max(map(len, map(str, about["AllowedValues"]))) if "AllowedValues" in about else len(str(about["MaxValue"])) if "MaxValue" in about else int(limit[1]) + 1
    score.same("the description fits", sum(longest.values()) + len(longest) <= 256, True)


def check_table(score, template):
    """The table that environments share, where they do."""
    for given, key in (({}, None), ({"StateKmsKeyArn": KEY}, {"SSEEnabled": True, "SSEType": "KMS", "KMSMasterKeyId": KEY})):
        stack = Stack(template, {**USUAL, "SharedQuota": "true", **given})
        table = dict(stack.of_type("AWS::DynamoDB::Table")["StateTable"])
        score.same("encryption of the table", table.pop("SSESpecification", None), key)
        score.same("the table", table, {"BillingMode": "PAY_PER_REQUEST", "AttributeDefinitions": [{"AttributeName": "pk", "AttributeType": "S"}],
                                        "KeySchema": [{"AttributeName": "pk", "KeyType": "HASH"}], "TimeToLiveSpecification": {"AttributeName": "expires_at", "Enabled": True}})
    score.same("the table ends with the stack", [stack.resources["StateTable"][policy] for policy in ("DeletionPolicy", "UpdateReplacePolicy")], ["Delete", "Delete"])
    alone = Stack(template, USUAL)
    score.same("no table without SharedQuota", [k for k in alone.resources if re.search("State|Shared|LocalQuota", k)], [])
    call, = alone.of_type("AWS::CloudWatch::CompositeAlarm").values()
    board, = alone.of_type("AWS::CloudWatch::Dashboard").values()
    score.same("nobody watches a table that is not there", [text for text in (call["AlarmRule"], json.dumps(json.loads(board["DashboardBody"]))) if re.search("SharedQuota|LocalQuota", text)], [])


def check_watching(score, template):
    for days in ("30", "7"):
        stack = Stack(template, {**USUAL, **({} if days == "30" else {"LogRetentionDays": days})})
        groups = stack.of_type("AWS::Logs::LogGroup")
        score.same(f"log retention {days}", {k: g.get("RetentionInDays") for k, g in groups.items()}, {"FunctionLogGroup": days, "AccessLogGroup": days})
    stack = Stack(template, {**USUAL, "AlarmTopicArn": TOPIC, "LogLevel": "DEBUG", "SharedQuota": "true"})
    function = stack.of_type("AWS::Lambda::Function")["EnrichFunction"]
    score.same("logging", function["LoggingConfig"], {"LogGroup": "<FunctionLogGroup>", "LogFormat": "JSON", "ApplicationLogLevel": "DEBUG", "SystemLogLevel": "INFO"})
    stage, = stack.of_type("AWS::ApiGatewayV2::Stage").values()
    score.same("access log", stage["AccessLogSettings"]["DestinationArn"], "<AccessLogGroup.Arn>")
    score.same("access log tells no query, header or body", re.findall(r"\$context\.\w*[qQ]uery\w*|authorizer|header|apiKey", stage["AccessLogSettings"]["Format"]), [])
    score.same("access log tells no message", re.findall(r"\$context\.[\w.]*[mM]essage\w*", stage["AccessLogSettings"]["Format"]), [])
    score.same("access log is JSON", sorted(json.loads(re.sub(r"\$context[\w.]+", "-", stage["AccessLogSettings"]["Format"]))),
               ["bytes", "caller_arn", "duration_ms", "error", "function_status", "method", "path", "request_id", "source_ip", "status", "time"])
    for about, given, burst in (("as many as are reserved", {}, "2"), ("more reserved", {"ReservedConcurrency": "7"}, "7"), ("none reserved", {"ReservedConcurrency": "0", "QuotaShare": "4"}, "4"),
                                ("as given", {"ThrottleBurst": "40"}, "40")):
        stage, = Stack(template, {**USUAL, **given}).of_type("AWS::ApiGatewayV2::Stage").values()
        score.same(f"throttling, {about}", stage["DefaultRouteSettings"], {"ThrottlingRateLimit": "10", "ThrottlingBurstLimit": burst})
    alarms = stack.of_type("AWS::CloudWatch::Alarm")
    score.same("alarms", sorted(alarms), sorted(ALARMS))
    score.same("alarms notify by one alarm", [k for k, a in alarms.items() if "AlarmActions" in a], [])
    call, = stack.of_type("AWS::CloudWatch::CompositeAlarm").values()
    score.same("the one alarm notifies", (call["AlarmActions"], call["OKActions"]), ([TOPIC], [TOPIC]))
    score.same("the one alarm hears all", sorted(re.findall(r'ALARM\("<(\w+)>"\)', call["AlarmRule"])), sorted(ALARMS))
    silent, = Stack(template, USUAL).of_type("AWS::CloudWatch::CompositeAlarm").values()
    score.same("no topic, no action", [k for k in silent if k.endswith("Actions")], [])
    score.same("every alarm has a page", [k for k, a in alarms.items() if f"docs/runbook.md#{ALARMS[k]}" not in a["AlarmDescription"]], [])
    score.same("slow is told from the timeout", alarms["SlowAlarm"]["Metrics"][1]["Expression"], "100 * duration / (1000 * 15)")
    filters = stack.of_type("AWS::Logs::MetricFilter")
    score.same("filters read the function's log", {f["LogGroupName"] for f in filters.values()}, {"<FunctionLogGroup>"})
    made = {t["MetricName"] for f in filters.values() for t in f["MetricTransformations"]}
    score.same("alarms look at what is counted", sorted({a["MetricName"] for a in alarms.values() if a.get("Namespace", "").startswith("defender-enrich/")} - made), [])
    board, = stack.of_type("AWS::CloudWatch::Dashboard").values()
    score.same("the dashboard is JSON", len(json.loads(board["DashboardBody"])["widgets"]), 6)
    schedule, = stack.of_type("AWS::Scheduler::Schedule").values()
    score.same("the daily check", (schedule["ScheduleExpression"], schedule["Target"]["Arn"], schedule["Target"]["Input"]), ("rate(1 day)", ALIAS, '{"check":true}'))
    score.same("no daily check", list(Stack(template, {**USUAL, "SelfCheck": "disabled"}).of_type("AWS::Scheduler::Schedule")), [])
    score.same("outputs", sorted(stack.template["Outputs"]), ["ApiUrl", "DashboardUrl", "EnrichUrl", "FunctionArn", "FunctionUrl", "RoleArn"])
    score.same("the address to call", stack.resolve(stack.template["Outputs"]["EnrichUrl"]["Value"]), f"https://<HttpApi>.execute-api.{REGION}.amazonaws.com/v1/enrich")
    about = template["Metadata"]["AWS::ServerlessRepo::Application"]
    score.same("licence", about["SpdxLicenseId"], "Apache-2.0")


def check(written):
    score, template = Score(), Template(written)
    for name, (parameters, statements, signed, url) in SETS.items():
        stack = Stack(template, parameters)
        score.same(f"{name}: refused by", stack.refusals(), [])
        check_permissions(score, name, stack, statements, signed, url)
    for name, (parameters, rule) in REFUSED.items():
        score.same(f"{name}: refused by", Stack(template, parameters).refusals(), [rule])
    check_function(score, template)
    check_versions(score, template)
    check_table(score, template)
    check_watching(score, template)
    return score


def spoiled():
    """Ways to spoil the template, each with a word that the complaint must hold."""
    def role(t):
        return t["Resources"]["EnrichRole"]["Properties"]

    def function(t):
        return t["Resources"]["EnrichFunction"]["Properties"]

    def statements(t):
        return role(t)["Policies"][0]["PolicyDocument"]["Statement"]

    yield "one more action", "statements", lambda t: statements(t)[0].update(Action=["secretsmanager:GetSecretValue", "secretsmanager:ListSecrets"])
    yield "every secret", "actions on everything", lambda t: statements(t)[0].update(Resource="*")
    yield "a managed policy", "managed policies", lambda t: role(t).update(ManagedPolicyArns=["arn:aws:iam::aws:policy/AdministratorAccess"])
    yield "a role made by SAM", "roles", lambda t: function(t).pop("Role")
    yield "decryption for all", "statements", lambda t: t["Conditions"].update(HasKmsKey={"Fn::Equals": ["a", "a"]})
    yield "identity for all", "statements", lambda t: t["Conditions"].update(IsFederated={"Fn::Equals": ["a", "a"]})
    yield "a longer token", "federated: statements", lambda t: statements(t)[5]["Fn::If"][1]["Condition"]["NumericLessThanEquals"].update({"sts:DurationSeconds": 3600})
    yield "a table for all", "no table without SharedQuota", lambda t: t["Resources"]["StateTable"].pop("Condition")
    yield "rights to all tables", "shared quota: statements", lambda t: statements(t)[3]["Fn::If"][1].update(Resource="*")
    yield "no rule", "refused by", lambda t: t.pop("Rules")
    yield "a rule that always agrees", "refused by", lambda t: t["Rules"]["AnonymousIsDeliberate"]["Assertions"][0].update(Assert={"Fn::Equals": ["a", "a"]})
    yield "a rule that always refuses", "refused by", lambda t: t["Rules"]["ApiKeysHaveASecret"].pop("RuleCondition")
    yield "a door left open", "asks for", lambda t: t["Resources"]["HttpApi"]["Properties"]["DefinitionBody"]["paths"]["/"]["x-amazon-apigateway-any-method"].pop("security")
    yield "a URL for all", "who may invoke", lambda t: t["Resources"]["OpenFunctionUrlPermission"].pop("Condition")
    yield "a wrong share", "share of each of 7", lambda t: function(t)["Environment"]["Variables"].update(QUOTA_SHARE=2)
    yield "a limit that nobody has set", "share of each of 7", lambda t: function(t)["Environment"]["Variables"].update(QUOTA_PER_MINUTE=100)
    yield "an empty setting", "environment", lambda t: function(t)["Environment"]["Variables"].update(DEFENDER_REGION={"Ref": "DefenderRegion"})
    yield "a misspelt setting", "environment", lambda t: function(t)["Environment"]["Variables"].update(ENRICH_AUTHN={"Ref": "AuthMode"})
    yield "more callers than environments", "throttling, more reserved", lambda t: t["Resources"]["HttpApi"]["Properties"]["DefaultRouteSettings"].update(ThrottlingBurstLimit=40)
    yield "a parameter that reaches nobody", "publish a version", lambda t: function(t).update(VersionDescription={"Fn::Sub": "${Revision}"})
    yield "logs for ever", "log retention", lambda t: t["Resources"]["FunctionLogGroup"]["Properties"].pop("RetentionInDays")
    yield "a looser pattern", "DefenderSecretArn takes", lambda t: t["Parameters"]["DefenderSecretArn"].update(AllowedPattern=".*")


def main():
    written = yaml_parse(Path(sys.argv[1] if len(sys.argv) > 1 else TEMPLATE).read_text())
    score = check(written)
    if not score.failures:                            # a template that is wrong already says nothing about the checks
        for name, word, spoil in spoiled():
            worse = copy.deepcopy(written)
            spoil(worse)
            complaints = check(worse).failures
            score.same(f"spoiled by {name}, noticed", any(word in c for c in complaints), True)
    for failure in score.failures:
        print(failure)
    print(f"template: {score.passed} passed, {len(score.failures)} failed")
    return 1 if score.failures else 0


if __name__ == "__main__":
    sys.exit(main())
