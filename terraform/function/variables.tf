variable "name" {
  description = "The entry point's name."
  type        = string
}

variable "project" {
  description = "Project of the secrets."
  type        = string
}

variable "region" {
  description = "Where it runs."
  type        = string
}

variable "settings" {
  description = "Its limits: memory, time (seconds), instances, requests at once."
  type = object({
    memory      = string
    timeout     = number
    instances   = number
    concurrency = number
  })
}

variable "build" {
  description = "Who builds it, from which object, into which repository."
  type = object({
    account    = string
    repository = string
    bucket     = string
    object     = string
  })
}

variable "account" {
  description = "E-mail of the service account that it runs as."
  type        = string
}

variable "environment" {
  description = "Plain environment variables."
  type        = map(string)
}

variable "secrets" {
  description = "Secrets (their ids in Secret Manager) by the name of the environment variable."
  type        = map(string)
}

variable "subnetwork" {
  description = "The database's network and the subnetwork that instances take addresses in; null when there is none."
  type        = object({ id = string, network = string })
}

variable "invokers" {
  description = "Members that may invoke it, each under a name."
  type        = map(string)
}
