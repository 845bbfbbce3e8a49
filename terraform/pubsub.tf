locals {
  push_routes = {
    lamplighter-reports       = "report"
    lamplighter-alerts        = "notify"
    lamplighter-verifications = "verify"
    lamplighter-objects       = "verify-object"
  }
  # The functions that publish to each topic. In addition, hosts publish reports and Cloud Storage publishes objects (bucket.tf).
  publishers = {
    lamplighter-alerts        = ["api", "notify", "report", "verify", "watch"]
    lamplighter-verifications = ["api", "report", "verify", "verify-object", "watch"]
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
}

resource "google_pubsub_topic" "commands" {
  for_each   = var.hosts
  name       = "lamplighter-commands-${each.key}"
  depends_on = [google_project_service.this]
}

resource "google_pubsub_subscription" "commands" {
  for_each = var.hosts

  name                       = "lamplighter-commands-${each.key}"
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
  for_each   = local.push_routes
  name       = each.key
  depends_on = [google_project_service.this]
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
  depends_on = [google_service_account_iam_member.push_tokens]
}

resource "google_pubsub_topic" "dead_letters" {
  name       = "lamplighter-dead-letters"
  depends_on = [google_project_service.this]
}

# Dead letters are kept for a week, for a person to look at; monitoring.tf raises an alert when there is one.
resource "google_pubsub_subscription" "dead_letters" {
  name                       = "lamplighter-dead-letters"
  topic                      = google_pubsub_topic.dead_letters.id
  message_retention_duration = "604800s"
  expiration_policy { ttl = "" }
}

# Pub/Sub's service agent forwards a dead letter to its topic and removes it from the subscription: it needs both rights.
resource "google_pubsub_topic_iam_member" "dead_letters" {
  topic  = google_pubsub_topic.dead_letters.id
  role   = "roles/pubsub.publisher"
  member = google_project_service_identity.pubsub.member
}

resource "google_pubsub_subscription_iam_member" "dead_letter_source" {
  for_each = merge(
    { for name, subscription in google_pubsub_subscription.commands : "commands-${name}" => subscription.name },
    { for name, subscription in google_pubsub_subscription.push : name => subscription.name },
  )
  subscription = each.value
  role         = "roles/pubsub.subscriber"
  member       = google_project_service_identity.pubsub.member
}

# A host can pull from its own subscription and publish reports, nothing else.
resource "google_pubsub_subscription_iam_member" "host" {
  for_each     = var.hosts
  subscription = google_pubsub_subscription.commands[each.key].name
  role         = "roles/pubsub.subscriber"
  member       = google_service_account.host[each.key].member
}

resource "google_pubsub_topic_iam_member" "host_reports" {
  for_each = var.hosts
  topic    = google_pubsub_topic.push["lamplighter-reports"].id
  role     = "roles/pubsub.publisher"
  member   = google_service_account.host[each.key].member
}

# Only `sign` can publish commands.
resource "google_pubsub_topic_iam_member" "sign" {
  for_each = var.hosts
  topic    = google_pubsub_topic.commands[each.key].id
  role     = "roles/pubsub.publisher"
  member   = google_service_account.entry_point["sign"].member
}

resource "google_pubsub_topic_iam_member" "publisher" {
  for_each = merge([
    for topic, names in local.publishers : { for name in names : "${topic}-${name}" => { topic = topic, name = name } }
  ]...)
  topic  = google_pubsub_topic.push[each.value.topic].id
  role   = "roles/pubsub.publisher"
  member = google_service_account.entry_point[each.value.name].member
}
