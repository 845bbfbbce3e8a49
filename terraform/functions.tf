# The entry points of functions/index.ts. A test compares this table with shared/topology.ts.
locals {
  entry_points = {
    api = {
      callers   = ["public"]
      variables = ["DATABASE_URL", "SIGN_URL", "WEBHOOK_SECRETS", "LIVE_URL", "API_URL", "BACKUP_BUCKET"]
      instances = 2, concurrency = 20, memory = "512Mi", timeout = 60
    }
    live = {
      callers   = ["public"]
      variables = ["DATABASE_URL"]
      # One instance, because it pairs two connections; it serves 200 people. A request can last an hour.
      instances = 1, concurrency = 400, memory = "512Mi", timeout = 3600
    }
    sign = {
      callers   = ["api", "watch", "notify"]
      variables = ["DATABASE_URL", "SIGNING_KEY", "OIDC_AUDIENCE", "OIDC_CALLERS", "BACKUP_BUCKET"]
      instances = 2, concurrency = 20, memory = "512Mi", timeout = 60
    }
    report = {
      callers   = ["push"]
      variables = ["DATABASE_URL", "OIDC_AUDIENCE", "OIDC_CALLERS"]
      instances = 2, concurrency = 20, memory = "512Mi", timeout = 60
    }
    watch = {
      callers   = ["scheduler"]
      variables = ["DATABASE_URL", "SIGN_URL", "OIDC_AUDIENCE", "OIDC_CALLERS", "API_URL"]
      instances = 1, concurrency = 20, memory = "512Mi", timeout = 120
    }
    notify = {
      callers   = ["push"]
      variables = ["DATABASE_URL", "SIGN_URL", "OIDC_AUDIENCE", "OIDC_CALLERS", "CHANNEL_SECRETS", "MAIL_FROM", "API_URL"]
      instances = 2, concurrency = 20, memory = "512Mi", timeout = 120
    }
    verify-object = {
      callers   = ["push"]
      variables = ["DATABASE_URL", "OIDC_AUDIENCE", "OIDC_CALLERS", "BACKUP_BUCKET"]
      instances = 1, concurrency = 20, memory = "512Mi", timeout = 60
    }
    verify = {
      callers   = ["push", "scheduler"]
      variables = ["DATABASE_URL", "OIDC_AUDIENCE", "OIDC_CALLERS", "BACKUP_BUCKET", "SIGNING_PUBLIC_KEYS"]
      instances = 2, concurrency = 20, memory = "1Gi", timeout = 3600
    }
    admin = {
      callers   = ["deployer"]
      variables = ["DATABASE_URL", "OWNER_DATABASE_URL", "OIDC_AUDIENCE", "OIDC_CALLERS", "BACKUP_BUCKET", "SIGNING_PUBLIC_KEYS"]
      instances = 1, concurrency = 1, memory = "512Mi", timeout = 600
    }
  }

  # Cloud Run's deterministic URLs (project number and region). They are known before the functions exist, so functions can
  # refer to each other without a cycle.
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
    # Anchors of the audit trail are signed with the current key or with an earlier one.
    SIGNING_PUBLIC_KEYS = join("\n", concat(
      [data.google_kms_crypto_key_version.signing.public_key[0].pem],
      var.former_signing_public_keys,
    ))
  }
  # With our own instance, the functions trust that instance's certificate authority alone.
  database_ca = var.create_database ? { DATABASE_CA = one(google_sql_database_instance.this[*].server_ca_cert)[0].cert } : {}

  # What each function gets: plain values by their name, secrets by their name in Secret Manager.
  environments = {
    for function, entry in local.entry_points : function => merge(
      { GOOGLE_CLOUD_PROJECT = var.project },
      { for name in entry.variables : name => local.plain_values[name] if contains(keys(local.plain_values), name) },
      contains(entry.variables, "OIDC_AUDIENCE") ? { OIDC_AUDIENCE = local.urls[function] } : {},
      contains(entry.variables, "OIDC_CALLERS") ? {
        OIDC_CALLERS = join(",", [for caller in entry.callers : local.caller_emails[caller]])
      } : {},
      contains(entry.variables, "DATABASE_URL") ? local.database_ca : {},
    )
  }
  secrets = {
    for function, entry in local.entry_points : function => {
      for name in entry.variables : name => google_secret_manager_secret.value[name].secret_id
      if contains(keys(local.secret_ids), name)
    }
  }
  # Who can invoke each function: everyone only where the function itself authenticates its callers.
  invokers = {
    for function, entry in local.entry_points : function => contains(entry.callers, "public")
    ? { for everybody in ["allUsers"] : "public" => everybody if var.public_access == "all-users" }
    : { for caller in entry.callers : caller => "serviceAccount:${local.caller_emails[caller]}" }
  }
  build = {
    account    = google_service_account.build.id
    repository = google_artifact_registry_repository.functions.id
    bucket     = google_storage_bucket.sources.name
    object     = google_storage_bucket_object.functions.name
  }
}

# What a build or a start needs must exist first: Google refuses a function whose secret cannot be read.
resource "terraform_data" "before_functions" {
  depends_on = [
    google_artifact_registry_repository_iam_member.build,
    google_project_iam_member.build_logs,
    google_project_iam_member.build_sources,
    google_secret_manager_secret_iam_member.reader,
    google_secret_manager_secret_version.database_url,
    google_secret_manager_secret_version.owner_database_url,
    google_secret_manager_secret_version.channel_secrets,
    google_secret_manager_secret_version.webhook_secrets,
    google_sql_database.lamplighter,
    google_sql_user.lamplighter,
    google_storage_bucket_iam_member.build,
  ]
}

# `admin` is a module of its own, so that it can be deployed alone and migrate before the new code serves (README.md).
module "admin" {
  source = "./function"

  name        = "admin"
  project     = var.project
  region      = var.region
  settings    = local.entry_points["admin"]
  build       = local.build
  account     = google_service_account.entry_point["admin"].email
  environment = local.environments["admin"]
  secrets     = local.secrets["admin"]
  subnetwork  = one(google_compute_subnetwork.functions[*])
  invokers    = local.invokers["admin"]
  depends_on  = [terraform_data.before_functions]
}

module "serving" {
  for_each = { for name, entry in local.entry_points : name => entry if name != "admin" }
  source   = "./function"

  name        = each.key
  project     = var.project
  region      = var.region
  settings    = each.value
  build       = local.build
  account     = google_service_account.entry_point[each.key].email
  environment = local.environments[each.key]
  secrets     = local.secrets[each.key]
  subnetwork  = one(google_compute_subnetwork.functions[*])
  invokers    = local.invokers[each.key]
  depends_on  = [terraform_data.before_functions]
}
