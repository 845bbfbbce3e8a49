# The backup bucket. Its whole IAM policy is set here: Google's default lets everyone who can view or edit the project read
# the objects.
resource "google_storage_bucket" "backups" {
  name                        = "${var.project}-lamplighter-backups"
  location                    = var.region
  uniform_bucket_level_access = true
  public_access_prevention    = "enforced"

  encryption {
    default_kms_key_name = google_kms_crypto_key.backups.id
  }
  # Until the retention period is over, nobody can delete or overwrite a backup. An administrator can shorten the period
  # unless it is locked.
  retention_policy {
    retention_period = var.backup_retention_days * 86400
    is_locked        = var.lock_retention
  }
  lifecycle_rule {
    condition { age = var.backup_retention_days * 2 }
    action { type = "Delete" }
  }
  depends_on = [google_kms_crypto_key_iam_member.storage]
}

resource "google_project_iam_custom_role" "object_get" {
  role_id     = "lamplighterObjectGet"
  title       = "Lamplighter: get objects"
  description = "Read an object whose name one knows; no listing."
  permissions = ["storage.objects.get"]
  depends_on  = [google_project_service.this]
}

locals {
  anchor_prefix  = "audit/anchors/"
  anchor_objects = "projects/_/buckets/${google_storage_bucket.backups.name}/objects/${local.anchor_prefix}"
  # A host can create and read objects under its own prefix. It cannot list, overwrite or delete.
  host_roles = {
    create = "roles/storage.objectCreator"
    get    = google_project_iam_custom_role.object_get.id
  }
  host_grants = {
    for pair in setproduct(keys(local.host_roles), var.hosts) : "${pair[0]}-${pair[1]}" => {
      role = local.host_roles[pair[0]]
      host = pair[1]
    }
  }
}

data "google_iam_policy" "backups" {
  dynamic "binding" {
    for_each = local.host_grants
    content {
      role    = binding.value.role
      members = [google_service_account.host[binding.value.host].member]
      condition {
        title      = "own-prefix"
        expression = "resource.name.startsWith('projects/_/buckets/${google_storage_bucket.backups.name}/objects/hosts/${binding.value.host}/')"
      }
    }
  }
  binding {
    role    = "roles/storage.objectViewer"
    members = [google_service_account.entry_point["verify"].member]
  }
  # `sign` writes anchors of the audit trail (shared/audit/anchor.ts). It can neither replace nor read them.
  binding {
    role    = "roles/storage.objectCreator"
    members = [google_service_account.entry_point["sign"].member]
    condition {
      title      = "anchors"
      expression = "resource.name.startsWith('${local.anchor_objects}')"
    }
  }
  # `admin` compares the trail with the anchors. Listing is a permission on the bucket, so the condition is on the prefix of
  # the request.
  binding {
    role    = "roles/storage.objectViewer"
    members = [google_service_account.entry_point["admin"].member]
    condition {
      title      = "anchors"
      expression = "resource.name.startsWith('${local.anchor_objects}') || api.getAttribute('storage.googleapis.com/objectListPrefix', '').startsWith('${local.anchor_prefix}')"
    }
  }
  # Owners of the project keep administering the bucket; this role cannot read objects.
  binding {
    role    = "roles/storage.legacyBucketOwner"
    members = ["projectOwner:${var.project}"]
  }
}

resource "google_storage_bucket_iam_policy" "backups" {
  bucket      = google_storage_bucket.backups.name
  policy_data = data.google_iam_policy.backups.policy_data
}

# Cloud Storage's service agent publishes a message for each object that was finalised.
resource "google_pubsub_topic_iam_member" "storage" {
  topic  = google_pubsub_topic.push["lamplighter-objects"].id
  role   = "roles/pubsub.publisher"
  member = data.google_storage_project_service_account.this.member
}

resource "google_storage_notification" "finalised" {
  bucket         = google_storage_bucket.backups.name
  topic          = google_pubsub_topic.push["lamplighter-objects"].id
  payload_format = "JSON_API_V1"
  event_types    = ["OBJECT_FINALIZE"]
  depends_on     = [google_pubsub_topic_iam_member.storage]

  # Anchors of the audit trail make no notification.
  object_name_prefix = "hosts/"
}
