output "api_url" {
  description = "Address for `lamp` (LAMP_URL)."
  value       = local.urls["api"]
}

output "signing_public_key" {
  description = "PEM that each host pins (install.mjs --pinned-key)."
  value       = data.google_kms_crypto_key_version.signing.public_key[0].pem
}

output "backup_bucket" {
  description = "Bucket to name in each host's policy.yaml."
  value       = google_storage_bucket.backups.name
}

output "host_service_accounts" {
  description = "Service account to attach to each VM."
  value       = { for name, account in google_service_account.host : name => account.email }
}

output "live_relay" {
  description = "Origin to name under `relays` in each host's policy.yaml."
  value       = replace(local.urls["live"], "https://", "wss://")
}

output "admin_url" {
  description = "Address of `admin`, which migrates and makes tokens (README.md)."
  value       = local.urls["admin"]
}

output "deployer_account" {
  description = "Service account that deployers call `admin` as."
  value       = google_service_account.caller["deployer"].email
}
