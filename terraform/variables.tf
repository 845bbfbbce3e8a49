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
    condition     = alltrue([for host in var.hosts : can(regex("^[a-z]([a-z0-9-]{0,20}[a-z0-9])?$", host))])
    error_message = "A host name is lower-case letters, digits and hyphens, at most 22 long (it becomes part of a service account's name)."
  }
}

variable "database_url" {
  description = "PostgreSQL to use, as postgresql://user:password@host/database. Null: a small Cloud SQL instance is made."
  type        = string
  default     = null
  sensitive   = true
}

variable "smtp_url" {
  description = "Where mail goes out, as smtps://user:password@host:465."
  type        = string
  sensitive   = true
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
}

variable "backup_retention_days" {
  description = "How long the bucket refuses to let go of a backup. Deleted by the life cycle after twice this time."
  type        = number
  default     = 30
}
