# Every API that is used, by these files or by what they make. Two must be enabled by hand before the first apply, since
# terraform itself works through them: README.md.
locals {
  apis = toset(concat([
    "artifactregistry", "cloudbuild", "cloudfunctions", "cloudkms", "cloudresourcemanager", "cloudscheduler", "compute",
    "iam", "iamcredentials", "logging", "monitoring", "pubsub", "run", "secretmanager", "serviceusage", "storage",
  ], var.create_database ? ["servicenetworking", "sqladmin"] : []))
}

resource "google_project_service" "this" {
  for_each = local.apis

  service            = "${each.key}.googleapis.com"
  disable_on_destroy = false
}

# Google makes a service's own account at its first use; a grant to it before would fail.
resource "google_project_service_identity" "pubsub" {
  provider   = google-beta
  service    = "pubsub.googleapis.com"
  depends_on = [google_project_service.this]
}

data "google_storage_project_service_account" "this" {
  depends_on = [google_project_service.this]
}
