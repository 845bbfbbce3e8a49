# One service account per function and one for each of Google's callers, each with the least it needs; grants stand beside
# the resource that they open.
resource "google_service_account" "entry_point" {
  for_each = local.entry_points

  account_id   = "lamplighter-${each.key}"
  display_name = "Lamplighter function ${each.key}"
}

resource "google_service_account" "caller" {
  for_each = toset(["scheduler", "push", "events"])

  account_id   = "lamplighter-${each.key}"
  display_name = "Lamplighter caller ${each.key}"
}

resource "google_service_account" "build" {
  account_id   = "lamplighter-build"
  display_name = "Builds Lamplighter's functions"
}

resource "google_service_account" "host" {
  for_each = var.hosts

  account_id   = "lamp-host-${each.key}"
  display_name = "Lamplighter agent on ${each.key}"
}

locals {
  caller_emails = merge(
    { for name, account in google_service_account.entry_point : name => account.email },
    { for name, account in google_service_account.caller : name => account.email },
  )
}

# Cloud Build has no narrower resource to be granted on.
resource "google_project_iam_member" "build" {
  project = var.project
  role    = "roles/cloudbuild.builds.builder"
  member  = google_service_account.build.member
}

# A function that asks for an identity token of its own signs it through the metadata server; nothing to grant.

resource "google_project_iam_member" "events" {
  project = var.project
  role    = "roles/eventarc.eventReceiver"
  member  = google_service_account.caller["events"].member
}
