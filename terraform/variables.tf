variable "project" {
  description = "Google Cloud project to deploy to."
  type        = string
}

variable "region" {
  description = "Region of the functions, the schedules and the bucket."
  type        = string
  default     = "europe-west2"
}

variable "hosts" {
  description = "Names of the hosts in runbook.yaml; each gets a topic, a subscription and a service account of its own."
  type        = set(string)
  validation {
    condition     = alltrue([for host in var.hosts : can(regex("^[a-z]([a-z0-9-]{0,18}[a-z0-9])?$", host))])
    error_message = "A host name has lower-case letters, digits and hyphens, and is at most 20 long: the name of its service account is `lamp-host-` and the host name, and can have at most 30 characters."
  }
}

variable "alert_email" {
  description = "Address that Google Cloud notifies when `watch` stops or a message could not be delivered."
  type        = string
}

variable "deployers" {
  description = "Members that can migrate the database and make tokens, as IAM writes them (user:alice@example.com)."
  type        = set(string)
}

variable "create_database" {
  description = "Whether a small Cloud SQL instance is created. Otherwise `database_url` names the database."
  type        = bool
  default     = true
}

variable "database_password" {
  description = "Password of the schema's owner, letters and digits only. Needed with create_database."
  type        = string
  default     = null
  sensitive   = true
  ephemeral   = true
  validation {
    condition     = var.database_password == null || can(regex("^[A-Za-z0-9]{24,}$", var.database_password))
    error_message = "The password must have at least 24 letters and digits, and nothing else: it becomes part of a URL."
  }
}

variable "functions_database_password" {
  description = "Password of the functions' login, lamplighter_functions, letters and digits only. Needed with create_database."
  type        = string
  default     = null
  sensitive   = true
  ephemeral   = true
  validation {
    condition     = var.functions_database_password == null || can(regex("^[A-Za-z0-9]{24,}$", var.functions_database_password))
    error_message = "The functions' password must have at least 24 letters and digits, and nothing else: it becomes part of a URL."
  }
}

variable "owner_database_url" {
  description = "Login of the schema's owner when no database is created, as postgresql://user:password@host/database?sslmode=verify-full. The owner needs the right to create roles."
  type        = string
  default     = null
  sensitive   = true
  ephemeral   = true
}

variable "database_url" {
  description = "Login of the functions when no database is created: the same address with lamplighter_functions and a password of your choice, which `migrate` gives to that role."
  type        = string
  default     = null
  sensitive   = true
  ephemeral   = true
}

variable "channel_secrets" {
  description = "Secrets of the runbook's alert channels, by the name of the secret. `smtp` is the mail server of every channel of kind email that names no other, as smtps://user:password@host:465."
  type        = map(string)
  sensitive   = true
  ephemeral   = true
}

variable "mail_from" {
  description = "Sender of the alert mails."
  type        = string
}

variable "webhook_secrets" {
  description = "HMAC keys of the runbook's webhooks, by the name of the secret."
  type        = map(string)
  default     = {}
  sensitive   = true
  ephemeral   = true
}

variable "secrets_version" {
  description = "Raise this by one when a secret has changed: terraform does not store secrets, so it cannot see the change."
  type        = number
  default     = 1
}

variable "public_access" {
  description = "How `api` and `live` are opened to the internet: all-users (a grant to everybody), or no-invoker-check (for organisations that forbid such grants; README.md has the command for it)."
  type        = string
  default     = "all-users"
  validation {
    condition     = contains(["all-users", "no-invoker-check"], var.public_access)
    error_message = "public_access must be all-users or no-invoker-check."
  }
}

variable "backup_retention_days" {
  description = "Days in which the bucket refuses to delete or overwrite a backup. The life cycle deletes a backup after twice this time."
  type        = number
  default     = 30
}

variable "former_signing_public_keys" {
  description = "PEM of each earlier signing key, so that what it signed (anchors of the audit trail) stays valid."
  type        = list(string)
  default     = []
}

variable "lock_retention" {
  description = "Whether the bucket's retention policy is locked. While it is unlocked, an administrator of the project can shorten it. Once it is locked, nobody can, and the bucket can be deleted only when its last backup is old enough. Locking cannot be undone."
  type        = bool
  default     = false
}
