# The entry points of functions/index.ts. A test holds this table against shared/topology.ts.
locals {
  entry_points = {
    api = {
      callers   = ["public"]
      variables = ["DATABASE_URL", "SIGN_URL", "WEBHOOK_SECRETS", "LIVE_URL", "API_URL", "BACKUP_BUCKET"]
      memory    = "512Mi", timeout = 60, max = 3
    }
    live = {
      callers   = ["public"]
      variables = ["DATABASE_URL"]
      # One instance: it pairs two connections. A request may live for an hour.
      memory = "512Mi", timeout = 3600, max = 1
    }
    sign = {
      callers   = ["api", "watch", "notify"]
      variables = ["DATABASE_URL", "SIGNING_KEY", "OIDC_AUDIENCE", "OIDC_CALLERS"]
      memory    = "512Mi", timeout = 60, max = 3
    }
    report = {
      callers   = ["push"]
      variables = ["DATABASE_URL", "OIDC_AUDIENCE", "OIDC_CALLERS"]
      memory    = "512Mi", timeout = 60, max = 3
    }
    watch = {
      callers   = ["scheduler"]
      variables = ["DATABASE_URL", "SIGN_URL", "OIDC_AUDIENCE", "OIDC_CALLERS", "API_URL"]
      memory    = "512Mi", timeout = 120, max = 2
    }
    notify = {
      callers   = ["push"]
      variables = ["DATABASE_URL", "SIGN_URL", "OIDC_AUDIENCE", "OIDC_CALLERS", "SMTP_URL", "MAIL_FROM", "API_URL"]
      memory    = "512Mi", timeout = 120, max = 3
    }
    verify-object = {
      callers   = ["events"]
      variables = ["DATABASE_URL", "OIDC_AUDIENCE", "OIDC_CALLERS", "BACKUP_BUCKET"]
      memory    = "512Mi", timeout = 60, max = 2
    }
    verify = {
      callers   = ["push", "scheduler"]
      variables = ["DATABASE_URL", "OIDC_AUDIENCE", "OIDC_CALLERS", "BACKUP_BUCKET"]
      memory    = "1Gi", timeout = 3600, max = 2
    }
  }

  # Cloud Run's deterministic URLs (project number and region): known before the functions exist, so that they may name
  # one another without a circle.
  urls = {
    for name, _ in local.entry_points :
    name => "https://lamplighter-${name}-${data.google_project.this.number}.${var.region}.run.app"
  }

  plain_values = {
    SIGN_URL      = local.urls["sign"]
    SIGNING_KEY   = data.google_kms_crypto_key_version.signing.name
    MAIL_FROM     = var.mail_from
    BACKUP_BUCKET = google_storage_bucket.backups.name
    LIVE_URL      = replace(local.urls["live"], "https://", "wss://")
    API_URL       = local.urls["api"]
  }
  secret_values = ["DATABASE_URL", "SMTP_URL", "WEBHOOK_SECRETS"]
}

data "archive_file" "functions" {
  type        = "zip"
  source_dir  = "${path.module}/../dist/functions"
  output_path = "${path.module}/../dist/functions.zip"
}

resource "google_storage_bucket_object" "functions" {
  name   = "functions-${data.archive_file.functions.output_sha256}.zip"
  bucket = google_storage_bucket.sources.name
  source = data.archive_file.functions.output_path
}

resource "google_cloudfunctions2_function" "entry_point" {
  for_each = local.entry_points

  name     = "lamplighter-${each.key}"
  location = var.region

  build_config {
    runtime         = "nodejs24"
    entry_point     = each.key
    service_account = google_service_account.build.id
    source {
      storage_source {
        bucket = google_storage_bucket.sources.name
        object = google_storage_bucket_object.functions.name
      }
    }
  }

  service_config {
    available_memory                 = each.value.memory
    available_cpu                    = "1"
    timeout_seconds                  = each.value.timeout
    max_instance_count               = each.value.max
    max_instance_request_concurrency = each.key == "live" ? 200 : 20
    service_account_email            = google_service_account.entry_point[each.key].email
    vpc_connector                    = one(google_vpc_access_connector.database[*].id)
    vpc_connector_egress_settings    = var.database_url == null ? "PRIVATE_RANGES_ONLY" : null

    environment_variables = merge(
      { GOOGLE_CLOUD_PROJECT = var.project },
      { for name in each.value.variables : name => local.plain_values[name] if contains(keys(local.plain_values), name) },
      contains(each.value.variables, "OIDC_AUDIENCE") ? { OIDC_AUDIENCE = local.urls[each.key] } : {},
      contains(each.value.variables, "OIDC_CALLERS") ? {
        OIDC_CALLERS = join(",", [for caller in each.value.callers : local.caller_emails[caller]])
      } : {},
    )

    dynamic "secret_environment_variables" {
      for_each = [for name in each.value.variables : name if contains(local.secret_values, name)]
      content {
        key        = secret_environment_variables.value
        project_id = var.project
        secret     = google_secret_manager_secret.value[secret_environment_variables.value].secret_id
        version    = "latest"
      }
    }
  }

  # Only verify-object is started by an event; all others are plain HTTP.
  dynamic "event_trigger" {
    for_each = each.key == "verify-object" ? [1] : []
    content {
      event_type            = "google.cloud.storage.object.v1.finalized"
      retry_policy          = "RETRY_POLICY_RETRY"
      service_account_email = google_service_account.caller["events"].email
      event_filters {
        attribute = "bucket"
        value     = google_storage_bucket.backups.name
      }
    }
  }

  depends_on = [google_secret_manager_secret_iam_member.reader, google_project_iam_member.storage_events]
}

# Who may invoke which: everyone only where the function authenticates by itself.
locals {
  invocations = merge([
    for name, entry in local.entry_points : contains(entry.callers, "public")
    ? { "${name}-public" = { name = name, member = "allUsers" } }
    : { for caller in entry.callers : "${name}-${caller}" => { name = name, member = "serviceAccount:${local.caller_emails[caller]}" } }
  ]...)
}

resource "google_cloud_run_v2_service_iam_member" "invoker" {
  for_each = local.invocations

  location = var.region
  name     = google_cloudfunctions2_function.entry_point[each.value.name].name
  role     = "roles/run.invoker"
  member   = each.value.member
}
