# Values are passed as write-only arguments: only Secret Manager stores them, neither the state nor a plan does.
locals {
  # The functions log in as a role that owns nothing. Only `admin` logs in as the schema's owner, and gives that role its rights.
  database_url = var.create_database ? format(
    "postgresql://lamplighter_functions:%s@%s/lamplighter",
    var.functions_database_password,
    one(google_sql_database_instance.this[*].private_ip_address),
  ) : var.database_url
  owner_database_url = var.create_database ? format(
    "postgresql://lamplighter:%s@%s/lamplighter",
    var.database_password,
    one(google_sql_database_instance.this[*].private_ip_address),
  ) : var.owner_database_url
  secret_ids = {
    DATABASE_URL       = "lamplighter-database-url"
    OWNER_DATABASE_URL = "lamplighter-owner-database-url"
    CHANNEL_SECRETS    = "lamplighter-channel-secrets"
    WEBHOOK_SECRETS    = "lamplighter-webhook-secrets"
  }
  secret_readers = merge([
    for name, entry in local.entry_points : {
      for variable in entry.variables : "${name}-${variable}" => { name = name, secret = variable }
      if contains(keys(local.secret_ids), variable)
    }
  ]...)
}

resource "google_secret_manager_secret" "value" {
  for_each  = local.secret_ids
  secret_id = each.value
  replication {
    auto {}
  }
  depends_on = [google_project_service.this]
}

resource "google_secret_manager_secret_version" "database_url" {
  secret                 = google_secret_manager_secret.value["DATABASE_URL"].id
  secret_data_wo         = local.database_url
  secret_data_wo_version = var.secrets_version
}

resource "google_secret_manager_secret_version" "owner_database_url" {
  secret                 = google_secret_manager_secret.value["OWNER_DATABASE_URL"].id
  secret_data_wo         = local.owner_database_url
  secret_data_wo_version = var.secrets_version
}

resource "google_secret_manager_secret_version" "channel_secrets" {
  secret                 = google_secret_manager_secret.value["CHANNEL_SECRETS"].id
  secret_data_wo         = jsonencode(var.channel_secrets)
  secret_data_wo_version = var.secrets_version
}

resource "google_secret_manager_secret_version" "webhook_secrets" {
  secret                 = google_secret_manager_secret.value["WEBHOOK_SECRETS"].id
  secret_data_wo         = jsonencode(var.webhook_secrets)
  secret_data_wo_version = var.secrets_version
}

resource "google_secret_manager_secret_iam_member" "reader" {
  for_each  = local.secret_readers
  secret_id = google_secret_manager_secret.value[each.value.secret].id
  role      = "roles/secretmanager.secretAccessor"
  member    = google_service_account.entry_point[each.value.name].member
}
