# The signing key can't leave KMS; only `sign` can use it.
resource "google_kms_key_ring" "lamplighter" {
  name       = "lamplighter"
  location   = var.region
  depends_on = [google_project_service.this]
}

resource "google_kms_crypto_key" "signing" {
  name     = "commands"
  key_ring = google_kms_key_ring.lamplighter.id
  purpose  = "ASYMMETRIC_SIGN"
  version_template {
    algorithm        = "EC_SIGN_ED25519"
    protection_level = "SOFTWARE"
  }
  lifecycle { prevent_destroy = true }
}

data "google_kms_crypto_key_version" "signing" {
  crypto_key = google_kms_crypto_key.signing.id
}

resource "google_kms_crypto_key_iam_member" "sign" {
  crypto_key_id = google_kms_crypto_key.signing.id
  role          = "roles/cloudkms.signerVerifier"
  member        = google_service_account.entry_point["sign"].member
}

# The key of the backup bucket. Only Cloud Storage can use it, for callers that the bucket's policy admits.
resource "google_kms_crypto_key" "backups" {
  name            = "backups"
  key_ring        = google_kms_key_ring.lamplighter.id
  purpose         = "ENCRYPT_DECRYPT"
  rotation_period = "7776000s"
  lifecycle { prevent_destroy = true }
}

resource "google_kms_crypto_key_iam_member" "storage" {
  crypto_key_id = google_kms_crypto_key.backups.id
  role          = "roles/cloudkms.cryptoKeyEncrypterDecrypter"
  member        = data.google_storage_project_service_account.this.member
}
