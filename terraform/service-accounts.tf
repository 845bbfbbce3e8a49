# One service account for each function and for each outside caller, with the least rights that it needs. Each grant is in the
# file of the resource that it is on.
resource "google_service_account" "entry_point" {
  for_each = local.entry_points

  account_id   = "lamplighter-${each.key}"
  display_name = "Lamplighter function ${each.key}"
  depends_on   = [google_project_service.this]
}

resource "google_service_account" "caller" {
  for_each = toset(["scheduler", "push", "deployer"])

  account_id   = "lamplighter-${each.key}"
  display_name = "Lamplighter caller ${each.key}"
  depends_on   = [google_project_service.this]
}

resource "google_service_account" "host" {
  for_each = var.hosts

  account_id   = "lamp-host-${each.key}"
  display_name = "Lamplighter agent on ${each.key}"
  depends_on   = [google_project_service.this]
}

locals {
  caller_emails = merge(
    { for name, account in google_service_account.entry_point : name => account.email },
    { for name, account in google_service_account.caller : name => account.email },
  )
}

# Pub/Sub signs the tokens of its pushes as this account.
resource "google_service_account_iam_member" "push_tokens" {
  service_account_id = google_service_account.caller["push"].id
  role               = "roles/iam.serviceAccountTokenCreator"
  member             = google_project_service_identity.pubsub.member
}

# A deployer can get identity tokens of the account that `admin` accepts, and nothing else of it.
resource "google_service_account_iam_member" "deployers" {
  for_each = var.deployers

  service_account_id = google_service_account.caller["deployer"].id
  role               = "roles/iam.serviceAccountOpenIdTokenCreator"
  member             = each.key
}

# A function gets identity tokens of its own account from the metadata server, which needs no grant.
