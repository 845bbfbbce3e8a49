locals {
  database_url = var.database_url != null ? var.database_url : format(
    "postgresql://lamplighter:%s@%s/lamplighter",
    one(random_password.database[*].result),
    one(google_sql_database_instance.this[*].private_ip_address),
  )
  secrets = {
    DATABASE_URL    = { id = "lamplighter-database-url", value = local.database_url }
    SMTP_URL        = { id = "lamplighter-smtp-url", value = var.smtp_url }
    WEBHOOK_SECRETS = { id = "lamplighter-webhook-secrets", value = jsonencode(var.webhook_secrets) }
  }
  secret_names = toset(["DATABASE_URL", "SMTP_URL", "WEBHOOK_SECRETS"])
  secret_readers = merge([
    for name, entry in local.entry_points : {
      for variable in entry.variables : "${name}-${variable}" => { name = name, secret = variable }
      if contains(local.secret_names, variable)
    }
  ]...)
}

resource "google_secret_manager_secret" "value" {
  for_each  = local.secret_names
  secret_id = local.secrets[each.key].id
  replication {
    auto {}
  }
}

resource "google_secret_manager_secret_version" "value" {
  for_each    = local.secret_names
  secret      = google_secret_manager_secret.value[each.key].id
  secret_data = local.secrets[each.key].value
}

resource "google_secret_manager_secret_iam_member" "reader" {
  for_each  = local.secret_readers
  secret_id = google_secret_manager_secret.value[each.value.secret].id
  role      = "roles/secretmanager.secretAccessor"
  member    = google_service_account.entry_point[each.value.name].member
}
