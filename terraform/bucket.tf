resource "google_storage_bucket" "backups" {
  name                        = "${var.project}-lamplighter-backups"
  location                    = var.region
  uniform_bucket_level_access = true
  public_access_prevention    = "enforced"

  # Nobody, not even an owner's stolen token, deletes or overwrites a backup before its time.
  retention_policy {
    retention_period = var.backup_retention_days * 86400
  }
  lifecycle_rule {
    condition { age = var.backup_retention_days * 2 }
    action { type = "Delete" }
  }
}

resource "google_storage_bucket" "sources" {
  name                        = "${var.project}-lamplighter-sources"
  location                    = var.region
  uniform_bucket_level_access = true
  public_access_prevention    = "enforced"
}

# A host creates and reads objects under its own prefix: no list, no overwrite, no delete.
resource "google_storage_bucket_iam_member" "host_create" {
  for_each = var.hosts
  bucket   = google_storage_bucket.backups.name
  role     = "roles/storage.objectCreator"
  member   = google_service_account.host[each.key].member
  condition {
    title      = "own-prefix"
    expression = "resource.name.startsWith('projects/_/buckets/${google_storage_bucket.backups.name}/objects/hosts/${each.key}/')"
  }
}

resource "google_project_iam_custom_role" "object_get" {
  role_id     = "lamplighterObjectGet"
  title       = "Lamplighter: get objects"
  description = "Read an object whose name one knows; no listing."
  permissions = ["storage.objects.get"]
}

resource "google_storage_bucket_iam_member" "host_get" {
  for_each = var.hosts
  bucket   = google_storage_bucket.backups.name
  role     = google_project_iam_custom_role.object_get.id
  member   = google_service_account.host[each.key].member
  condition {
    title      = "own-prefix"
    expression = "resource.name.startsWith('projects/_/buckets/${google_storage_bucket.backups.name}/objects/hosts/${each.key}/')"
  }
}

resource "google_storage_bucket_iam_member" "verify" {
  for_each = toset(["verify", "verify-object"])
  bucket   = google_storage_bucket.backups.name
  role     = "roles/storage.objectViewer"
  member   = google_service_account.entry_point[each.key].member
}

resource "google_storage_bucket_iam_member" "build" {
  bucket = google_storage_bucket.sources.name
  role   = "roles/storage.objectViewer"
  member = google_service_account.build.member
}

# Cloud Storage publishes its events through its own service agent, which Google lets one grant only on the project.
data "google_storage_project_service_account" "this" {}

resource "google_project_iam_member" "storage_events" {
  project = var.project
  role    = "roles/pubsub.publisher"
  member  = data.google_storage_project_service_account.this.member
}
