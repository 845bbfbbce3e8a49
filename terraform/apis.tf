# The APIs that these files and their resources use. Two must be enabled by hand before the first apply, because terraform
# itself needs them (README.md).
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

# Google creates a service's own account when the service is first used; a grant before that fails.
resource "google_project_service_identity" "pubsub" {
  provider   = google-beta
  service    = "pubsub.googleapis.com"
  depends_on = [google_project_service.this]
}

data "google_storage_project_service_account" "this" {
  depends_on = [google_project_service.this]
}
