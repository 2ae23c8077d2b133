# Deploys the packaged function (scripts/package, or a release) with the rights that template.yaml gives it, behind an HTTP API.
# Metric filters, alarms, the dashboard, Function URLs and canaries are in template.yaml only.

terraform {
  required_version = ">= 1.5"

  required_providers {
    aws = {
      source  = "hashicorp/aws"
      version = ">= 5.40"
    }
  }
}

data "aws_region" "current" {}

data "aws_partition" "current" {}

data "aws_caller_identity" "current" {}

locals {
  caller_secrets = var.caller_secret_arn == "" ? [] : [var.caller_secret_arn]
  # Microsoft's limits are divided by the number of environments, with shared_quota only while the table does not answer.
  quota_share = var.quota_share > 0 ? var.quota_share : var.reserved_concurrency
  dns_suffix  = data.aws_partition.current.dns_suffix
}

# ---------------------------------------------------------------- the function

resource "aws_lambda_function" "enrich" {
  function_name                  = var.name
  description                    = "Answers one HTTPS call with what Microsoft Defender knows about an alert, a machine, a user, a file or an incident."
  filename                       = var.package
  source_code_hash               = filebase64sha256(var.package)
  runtime                        = "provided.al2023"
  handler                        = "bootstrap"
  architectures                  = [var.architecture]
  memory_size                    = 256
  timeout                        = 15
  reserved_concurrent_executions = var.reserved_concurrency > 0 ? var.reserved_concurrency : -1
  role                           = aws_iam_role.enrich.arn

  logging_config {
    log_group             = aws_cloudwatch_log_group.function.name
    log_format            = "JSON"
    application_log_level = "INFO"
    system_log_level      = "INFO"
  }

  environment {
    variables = merge(
      {
        DEFENDER_SECRET_ID = var.defender_secret_arn
        ENRICH_AUTH        = var.auth_mode
        ENRICH_TIMEOUT_MS  = "10000"
        QUOTA_SHARE        = tostring(local.quota_share)
      },
      var.caller_secret_arn == "" ? {} : { CALLER_SECRET_ID = var.caller_secret_arn },
      var.shared_quota ? { STATE_TABLE = aws_dynamodb_table.state[0].name } : {},
      var.settings,
    )
  }

  lifecycle {
    precondition {
      condition     = var.auth_mode != "api_key" || var.caller_secret_arn != ""
      error_message = "auth_mode api_key needs caller_secret_arn, the secret that holds the API keys."
    }
    precondition {
      condition     = local.quota_share > 0
      error_message = "With reserved_concurrency 0, set quota_share to the number of environments that you expect at most."
    }
  }
}

resource "aws_cloudwatch_log_group" "function" {
  name              = "/aws/lambda/${var.name}"
  retention_in_days = var.log_retention_days
}

# What environments share: when calls were made, and which deliveries came.
resource "aws_dynamodb_table" "state" {
  count        = var.shared_quota ? 1 : 0
  name         = "${var.name}-state"
  billing_mode = "PAY_PER_REQUEST"
  hash_key     = "pk"

  attribute {
    name = "pk"
    type = "S"
  }

  ttl {
    attribute_name = "expires_at"
    enabled        = true
  }

  dynamic "server_side_encryption" {
    for_each = var.state_kms_key_arn == "" ? [] : [var.state_kms_key_arn]
    content {
      enabled     = true
      kms_key_arn = server_side_encryption.value
    }
  }
}

# ---------------------------------------------------------------- what it may do

resource "aws_iam_role" "enrich" {
  name_prefix        = "${var.name}-"
  description        = "What defender-enrich may do: read its secrets, write its log, and where configured decrypt the secrets, share its quota and prove its identity."
  assume_role_policy = data.aws_iam_policy_document.trust.json
}

data "aws_iam_policy_document" "trust" {
  statement {
    actions = ["sts:AssumeRole"]
    principals {
      type        = "Service"
      identifiers = ["lambda.amazonaws.com"]
    }
  }
}

resource "aws_iam_role_policy" "enrich" {
  name   = "enrich"
  role   = aws_iam_role.enrich.id
  policy = data.aws_iam_policy_document.enrich.json
}

data "aws_iam_policy_document" "enrich" {
  statement {
    sid       = "ReadItsSecrets"
    actions   = ["secretsmanager:GetSecretValue"]
    resources = concat([var.defender_secret_arn], local.caller_secrets)
  }

  statement {
    sid       = "WriteItsLog"
    actions   = ["logs:CreateLogStream", "logs:PutLogEvents"]
    resources = ["${aws_cloudwatch_log_group.function.arn}:*"]
  }

  dynamic "statement" {
    for_each = var.secrets_kms_key_arn == "" ? [] : [var.secrets_kms_key_arn]
    content {
      sid       = "DecryptItsSecrets"
      actions   = ["kms:Decrypt"]
      resources = [statement.value]
      condition {
        test     = "StringEquals"
        variable = "kms:ViaService"
        values   = ["secretsmanager.${data.aws_region.current.name}.${local.dns_suffix}"]
      }
    }
  }

  dynamic "statement" {
    for_each = aws_dynamodb_table.state
    content {
      sid       = "ShareItsQuota"
      actions   = ["dynamodb:GetItem", "dynamodb:PutItem", "dynamodb:UpdateItem"]
      resources = [statement.value.arn]
    }
  }

  dynamic "statement" {
    for_each = var.shared_quota && var.state_kms_key_arn != "" ? [var.state_kms_key_arn] : []
    content {
      sid       = "DecryptItsTable"
      actions   = ["kms:Decrypt"]
      resources = [statement.value]
      condition {
        test     = "StringEquals"
        variable = "kms:ViaService"
        values   = ["dynamodb.${data.aws_region.current.name}.${local.dns_suffix}"]
      }
    }
  }

  # The action knows no resource; the conditions leave one token that only Entra takes, and only for five minutes.
  dynamic "statement" {
    for_each = var.federated_credential ? [true] : []
    content {
      sid       = "ProveItsIdentityToEntra"
      actions   = ["sts:GetWebIdentityToken"]
      resources = ["*"]
      condition {
        test     = "ForAllValues:StringEquals"
        variable = "sts:IdentityTokenAudience"
        values   = ["api://AzureADTokenExchange"]
      }
      condition {
        test     = "Null"
        variable = "sts:IdentityTokenAudience"
        values   = ["false"]
      }
      condition {
        test     = "StringEquals"
        variable = "sts:SigningAlgorithm"
        values   = ["RS256"]
      }
      condition {
        test     = "NumericLessThanEquals"
        variable = "sts:DurationSeconds"
        values   = ["300"]
      }
    }
  }
}

# ---------------------------------------------------------------- the HTTP API

resource "aws_apigatewayv2_api" "enrich" {
  name          = var.name
  description   = "The public door of defender-enrich; the function routes by path itself."
  protocol_type = "HTTP"
}

resource "aws_apigatewayv2_integration" "enrich" {
  api_id                 = aws_apigatewayv2_api.enrich.id
  integration_type       = "AWS_PROXY"
  integration_uri        = aws_lambda_function.enrich.invoke_arn
  payload_format_version = "2.0"
}

resource "aws_apigatewayv2_route" "enrich" {
  for_each           = toset(["ANY /", "ANY /{proxy+}"])
  api_id             = aws_apigatewayv2_api.enrich.id
  route_key          = each.value
  target             = "integrations/${aws_apigatewayv2_integration.enrich.id}"
  authorization_type = var.auth_mode == "iam" ? "AWS_IAM" : "NONE"
}

resource "aws_apigatewayv2_stage" "enrich" {
  api_id      = aws_apigatewayv2_api.enrich.id
  name        = "$default"
  auto_deploy = true

  default_route_settings {
    throttling_rate_limit  = 10
    throttling_burst_limit = local.quota_share
  }

  access_log_settings {
    destination_arn = aws_cloudwatch_log_group.access.arn
    # The path without its query string: a token may travel there.
    format = jsonencode({
      time            = "$context.requestTime"
      request_id      = "$context.requestId"
      source_ip       = "$context.identity.sourceIp"
      method          = "$context.httpMethod"
      path            = "$context.path"
      status          = "$context.status"
      bytes           = "$context.responseLength"
      duration_ms     = "$context.responseLatency"
      function_status = "$context.integrationStatus"
      error           = "$context.error.responseType"
      caller_arn      = "$context.identity.userArn"
    })
  }
}

resource "aws_cloudwatch_log_group" "access" {
  name              = "/aws/vendedlogs/apigateway/${var.name}"
  retention_in_days = var.log_retention_days
}

resource "aws_lambda_permission" "api" {
  statement_id  = "HttpApi"
  action        = "lambda:InvokeFunction"
  function_name = aws_lambda_function.enrich.function_name
  principal     = "apigateway.amazonaws.com"
  source_arn    = "${aws_apigatewayv2_api.enrich.execution_arn}/*/*"
}

# ---------------------------------------------------------------- the daily check

resource "aws_scheduler_schedule" "check" {
  name                = "${var.name}-check"
  description         = "Lets defender-enrich check its credentials, permissions and destinations."
  schedule_expression = "rate(1 day)"

  flexible_time_window {
    mode                      = "FLEXIBLE"
    maximum_window_in_minutes = 60
  }

  target {
    arn      = aws_lambda_function.enrich.arn
    role_arn = aws_iam_role.check.arn
    input    = jsonencode({ check = true })
  }
}

resource "aws_iam_role" "check" {
  name_prefix        = "${var.name}-check-"
  description        = "What the daily schedule may do: invoke defender-enrich."
  assume_role_policy = data.aws_iam_policy_document.schedule.json
}

data "aws_iam_policy_document" "schedule" {
  statement {
    actions = ["sts:AssumeRole"]
    principals {
      type        = "Service"
      identifiers = ["scheduler.amazonaws.com"]
    }
    condition {
      test     = "StringEquals"
      variable = "aws:SourceAccount"
      values   = [data.aws_caller_identity.current.account_id]
    }
  }
}

resource "aws_iam_role_policy" "check" {
  name   = "invoke"
  role   = aws_iam_role.check.id
  policy = data.aws_iam_policy_document.check.json
}

data "aws_iam_policy_document" "check" {
  statement {
    actions   = ["lambda:InvokeFunction"]
    resources = [aws_lambda_function.enrich.arn]
  }
}

# ---------------------------------------------------------------- what to know afterwards

output "enrich_url" {
  description = "Where callers send their requests."
  value       = "${aws_apigatewayv2_api.enrich.api_endpoint}/v1/enrich"
}

output "role_arn" {
  description = "The identity of the function, which is the subject of a federated credential in Entra."
  value       = aws_iam_role.enrich.arn
}
