locals {
  push_routes = {
    reports       = "report"
    alerts        = "notify"
    verifications = "verify"
  }
  subscription_terms = {
    ack_deadline_s             = 60
    push_ack_deadline_s        = 600
    retention                  = "86400s"
    max_delivery_attempts      = 5
    push_max_delivery_attempts = 100
    min_backoff                = "10s"
    max_backoff                = "600s"
  }
  pubsub_agent = "serviceAccount:service-${data.google_project.this.number}@gcp-sa-pubsub.iam.gserviceaccount.com"
}

resource "google_pubsub_topic" "commands" {
  for_each = var.hosts
  name     = "commands-${each.key}"
}

resource "google_pubsub_subscription" "commands" {
  for_each = var.hosts

  name                       = "commands-${each.key}"
  topic                      = google_pubsub_topic.commands[each.key].id
  enable_message_ordering    = true
  ack_deadline_seconds       = local.subscription_terms.ack_deadline_s
  message_retention_duration = local.subscription_terms.retention

  # "" means never: Google's default deletes a subscription after 31 idle days.
  expiration_policy { ttl = "" }
  retry_policy {
    minimum_backoff = local.subscription_terms.min_backoff
    maximum_backoff = local.subscription_terms.max_backoff
  }
  dead_letter_policy {
    dead_letter_topic     = google_pubsub_topic.dead_letters.id
    max_delivery_attempts = local.subscription_terms.max_delivery_attempts
  }
}

resource "google_pubsub_topic" "push" {
  for_each = local.push_routes
  name     = each.key
}

resource "google_pubsub_subscription" "push" {
  for_each = local.push_routes

  name                       = each.key
  topic                      = google_pubsub_topic.push[each.key].id
  ack_deadline_seconds       = local.subscription_terms.push_ack_deadline_s
  message_retention_duration = local.subscription_terms.retention

  push_config {
    push_endpoint = local.urls[each.value]
    oidc_token {
      service_account_email = google_service_account.caller["push"].email
      audience              = local.urls[each.value]
    }
  }
  expiration_policy { ttl = "" }
  retry_policy {
    minimum_backoff = local.subscription_terms.min_backoff
    maximum_backoff = local.subscription_terms.max_backoff
  }
  dead_letter_policy {
    dead_letter_topic     = google_pubsub_topic.dead_letters.id
    max_delivery_attempts = local.subscription_terms.push_max_delivery_attempts
  }
}

resource "google_pubsub_topic" "dead_letters" {
  name = "dead-letters"
}

resource "google_pubsub_subscription" "dead_letters" {
  name                       = "dead-letters"
  topic                      = google_pubsub_topic.dead_letters.id
  message_retention_duration = "604800s"
  expiration_policy { ttl = "" }
}

# Pub/Sub itself forwards to the dead-letter topic and takes the message off the subscription.
resource "google_pubsub_topic_iam_member" "dead_letters" {
  topic  = google_pubsub_topic.dead_letters.id
  role   = "roles/pubsub.publisher"
  member = local.pubsub_agent
}

resource "google_pubsub_subscription_iam_member" "dead_letter_source" {
  for_each = merge(
    { for name, subscription in google_pubsub_subscription.commands : "commands-${name}" => subscription.name },
    { for name, subscription in google_pubsub_subscription.push : name => subscription.name },
  )
  subscription = each.value
  role         = "roles/pubsub.subscriber"
  member       = local.pubsub_agent
}

# A host may pull its own subscription and publish reports; nothing else.
resource "google_pubsub_subscription_iam_member" "host" {
  for_each     = var.hosts
  subscription = google_pubsub_subscription.commands[each.key].name
  role         = "roles/pubsub.subscriber"
  member       = google_service_account.host[each.key].member
}

resource "google_pubsub_topic_iam_member" "host_reports" {
  for_each = var.hosts
  topic    = google_pubsub_topic.push["reports"].id
  role     = "roles/pubsub.publisher"
  member   = google_service_account.host[each.key].member
}

# Only `sign` may publish commands.
resource "google_pubsub_topic_iam_member" "sign" {
  for_each = var.hosts
  topic    = google_pubsub_topic.commands[each.key].id
  role     = "roles/pubsub.publisher"
  member   = google_service_account.entry_point["sign"].member
}

locals {
  publishers = {
    alerts-api                  = { topic = "alerts", name = "api" }
    alerts-watch                = { topic = "alerts", name = "watch" }
    alerts-verify               = { topic = "alerts", name = "verify" }
    alerts-report               = { topic = "alerts", name = "report" }
    alerts-notify               = { topic = "alerts", name = "notify" }
    verifications-report        = { topic = "verifications", name = "report" }
    verifications-api           = { topic = "verifications", name = "api" }
    verifications-verify-object = { topic = "verifications", name = "verify-object" }
    verifications-verify        = { topic = "verifications", name = "verify" }
    verifications-watch         = { topic = "verifications", name = "watch" }
  }
}

resource "google_pubsub_topic_iam_member" "publisher" {
  for_each = local.publishers
  topic    = google_pubsub_topic.push[each.value.topic].id
  role     = "roles/pubsub.publisher"
  member   = google_service_account.entry_point[each.value.name].member
}
