variable "name" {
  description = "The name of the function, its API and its log groups."
  type        = string
  default     = "defender-enrich"
}

variable "package" {
  description = "The path of lambda-ARCHITECTURE.zip."
  type        = string
}

variable "architecture" {
  description = "The processor that the zip is for."
  type        = string
  default     = "arm64"

  validation {
    condition     = contains(["arm64", "x86_64"], var.architecture)
    error_message = "It must be arm64 or x86_64."
  }
}

variable "defender_secret_arn" {
  description = "Full ARN, with its six-character suffix, of the secret that holds the credential for Microsoft Defender."
  type        = string

  validation {
    condition     = can(regex("^arn:aws[a-z-]*:secretsmanager:[a-z0-9-]+:[0-9]{12}:secret:[A-Za-z0-9/_+=.@-]+-[A-Za-z0-9]{6}$", var.defender_secret_arn))
    error_message = "It must be the full ARN of a Secrets Manager secret, ending in a hyphen and six characters."
  }
}

variable "caller_secret_arn" {
  description = "Full ARN of the secret that holds the callers' API keys; required while auth_mode is api_key."
  type        = string
  default     = ""

  validation {
    condition     = can(regex("^(arn:aws[a-z-]*:secretsmanager:[a-z0-9-]+:[0-9]{12}:secret:[A-Za-z0-9/_+=.@-]+-[A-Za-z0-9]{6})?$", var.caller_secret_arn))
    error_message = "It must be empty or the full ARN of a Secrets Manager secret, ending in a hyphen and six characters."
  }
}

variable "secrets_kms_key_arn" {
  description = "ARN of the KMS key that encrypts the secrets; empty where they use the AWS managed key."
  type        = string
  default     = ""

  validation {
    condition     = can(regex("^(arn:aws[a-z-]*:kms:[a-z0-9-]+:[0-9]{12}:key/[A-Za-z0-9-]+)?$", var.secrets_kms_key_arn))
    error_message = "It must be empty or the ARN of a KMS key (an alias cannot be granted)."
  }
}

variable "federated_credential" {
  description = "Whether the Defender secret says \"federated\", so that the function may ask AWS STS for the identity token that Entra accepts."
  type        = bool
  default     = false
}

variable "auth_mode" {
  description = "How callers prove who they are: an API key of the caller secret, or an AWS signature (SigV4)."
  type        = string
  default     = "api_key"

  validation {
    condition     = contains(["api_key", "iam"], var.auth_mode)
    error_message = "It must be api_key or iam."
  }
}

variable "reserved_concurrency" {
  description = "Execution environments that may run concurrently; 0 reserves none and needs quota_share."
  type        = number
  default     = 2
}

variable "quota_share" {
  description = "The number of environments that Microsoft's limits are divided by; 0: reserved_concurrency."
  type        = number
  default     = 0
}

variable "shared_quota" {
  description = "Whether environments share Microsoft's limits through a DynamoDB table, instead of each having a fixed share."
  type        = bool
  default     = false
}

variable "state_kms_key_arn" {
  description = "ARN of the KMS key that encrypts this table; empty means DynamoDB's own encryption."
  type        = string
  default     = ""

  validation {
    condition     = can(regex("^(arn:aws[a-z-]*:kms:[a-z0-9-]+:[0-9]{12}:key/[A-Za-z0-9-]+)?$", var.state_kms_key_arn))
    error_message = "It must be empty or the ARN of a KMS key (an alias cannot be granted)."
  }
}

variable "settings" {
  description = "Further settings of docs/configuration.md, such as { DEFENDER_CLOUD = \"gcc_high\" }. They win over those above."
  type        = map(string)
  default     = {}
}

variable "log_retention_days" {
  description = "Days for which CloudWatch keeps the function's logs and the HTTP API's access logs."
  type        = number
  default     = 30
}
