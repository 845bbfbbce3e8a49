# Alerts that Lamplighter cannot raise itself: its own watch has stopped, messages were given up, or somebody changed its
# database, which its own alerts depend on.
resource "google_monitoring_notification_channel" "email" {
  display_name = "Lamplighter's operators"
  type         = "email"
  labels       = { email_address = var.alert_email }
  depends_on   = [google_project_service.this]
}

resource "google_monitoring_alert_policy" "watch_stopped" {
  display_name          = "Lamplighter: watch has stopped"
  combiner              = "OR"
  severity              = "CRITICAL"
  notification_channels = [google_monitoring_notification_channel.email.id]

  conditions {
    display_name = "no tick answered well for ten minutes"
    condition_absent {
      filter   = "resource.type = \"cloud_run_revision\" AND resource.labels.service_name = \"lamplighter-watch\" AND metric.type = \"run.googleapis.com/request_count\" AND metric.labels.response_code_class = \"2xx\""
      duration = "600s"
      aggregations {
        alignment_period     = "60s"
        per_series_aligner   = "ALIGN_DELTA"
        cross_series_reducer = "REDUCE_SUM"
      }
    }
  }
  documentation {
    content = "Nobody watches the hosts while this lasts: no check runs, no alert is raised, no scheduled backup starts. Look at the Cloud Scheduler job lamplighter-watch, then at the logs of the Cloud Run service lamplighter-watch."
  }
}

resource "google_monitoring_alert_policy" "dead_letters" {
  display_name          = "Lamplighter: a message could not be delivered"
  combiner              = "OR"
  severity              = "ERROR"
  notification_channels = [google_monitoring_notification_channel.email.id]

  conditions {
    display_name = "messages in lamplighter-dead-letters"
    condition_threshold {
      filter          = "resource.type = \"pubsub_subscription\" AND resource.labels.subscription_id = \"${google_pubsub_subscription.dead_letters.name}\" AND metric.type = \"pubsub.googleapis.com/subscription/num_undelivered_messages\""
      comparison      = "COMPARISON_GT"
      threshold_value = 0
      duration        = "0s"
      aggregations {
        alignment_period   = "60s"
        per_series_aligner = "ALIGN_MAX"
      }
    }
  }
  documentation {
    content = "A command, report, alert or verification was given up after its last attempt. Read it: gcloud pubsub subscriptions pull lamplighter-dead-letters --limit=10. Its attribute CloudPubSubDeadLetterSourceSubscription names where it came from. It is kept for seven days; acknowledge it (--auto-ack) when it is understood."
  }
}

resource "google_monitoring_alert_policy" "audit_trail" {
  display_name          = "Lamplighter: the audit trail is not whole"
  combiner              = "OR"
  severity              = "CRITICAL"
  notification_channels = [google_monitoring_notification_channel.email.id]

  conditions {
    display_name = "verify says that the audit trail is not whole"
    condition_matched_log {
      filter = "resource.type = \"cloud_run_revision\" AND resource.labels.service_name = \"lamplighter-verify\" AND jsonPayload.message = \"audit trail is not whole\""
    }
  }
  # A policy on log lines must limit how often it notifies.
  alert_strategy {
    notification_rate_limit {
      period = "3600s"
    }
    auto_close = "604800s"
  }
  documentation {
    content = "The daily check found entries that were rewritten or removed, objects that are no anchors, or entries that no anchor covers: the field faults of the log line says which. Keep the database and the bucket as they are, and ask again: admin '{\"command\":\"verify-audit\"}' (terraform/README.md). Lamplighter's own alerts go through that database; do not rely on them."
  }
}
