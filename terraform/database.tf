# A small Cloud SQL instance on a private address. The functions reach it through the network itself (direct VPC egress).
locals {
  makes_database = var.create_database ? 1 : 0
}

resource "google_compute_network" "database" {
  count                   = local.makes_database
  name                    = "lamplighter"
  auto_create_subnetworks = false
  depends_on              = [google_project_service.this]
}

# Each instance of a function takes an address from this range; Google requires at least /26.
resource "google_compute_subnetwork" "functions" {
  count                    = local.makes_database
  name                     = "lamplighter-functions"
  region                   = var.region
  network                  = google_compute_network.database[0].id
  ip_cidr_range            = "10.8.0.0/26"
  private_ip_google_access = true
}

resource "google_compute_global_address" "database" {
  count         = local.makes_database
  name          = "lamplighter-database"
  purpose       = "VPC_PEERING"
  address_type  = "INTERNAL"
  prefix_length = 24
  network       = google_compute_network.database[0].id
}

resource "google_service_networking_connection" "database" {
  count                   = local.makes_database
  network                 = google_compute_network.database[0].id
  service                 = "servicenetworking.googleapis.com"
  reserved_peering_ranges = [google_compute_global_address.database[0].name]
}

resource "google_sql_database_instance" "this" {
  count            = local.makes_database
  name             = "lamplighter"
  region           = var.region
  database_version = "POSTGRES_17"

  settings {
    tier    = "db-f1-micro"
    edition = "ENTERPRISE"
    backup_configuration {
      enabled                        = true
      point_in_time_recovery_enabled = true
    }
    ip_configuration {
      ipv4_enabled    = false
      private_network = google_compute_network.database[0].id
      ssl_mode        = "ENCRYPTED_ONLY"
      server_ca_mode  = "GOOGLE_MANAGED_INTERNAL_CA"
    }
  }
  deletion_protection = true
  depends_on          = [google_service_networking_connection.database]
}

resource "google_sql_database" "lamplighter" {
  count    = local.makes_database
  name     = "lamplighter"
  instance = google_sql_database_instance.this[0].name
}

resource "google_sql_user" "lamplighter" {
  count               = local.makes_database
  name                = "lamplighter"
  instance            = google_sql_database_instance.this[0].name
  password_wo         = var.database_password
  password_wo_version = var.secrets_version
}
