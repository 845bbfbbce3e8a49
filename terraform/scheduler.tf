locals {
  schedules = {
    watch        = { entry_point = "watch", cron = "* * * * *", body = "{}" }
    verify-daily = { entry_point = "verify", cron = "0 5 * * *", body = "{\"all\":true}" }
  }
}

resource "google_cloud_scheduler_job" "this" {
  for_each = local.schedules

  name             = "lamplighter-${each.key}"
  region           = var.region
  schedule         = each.value.cron
  time_zone        = "Etc/UTC"
  attempt_deadline = each.key == "watch" ? "120s" : "1800s"

  http_target {
    http_method = "POST"
    uri         = local.urls[each.value.entry_point]
    headers     = { "Content-Type" = "application/json" }
    body        = base64encode(each.value.body)
    oidc_token {
      service_account_email = google_service_account.caller["scheduler"].email
      audience              = local.urls[each.value.entry_point]
    }
  }
}
