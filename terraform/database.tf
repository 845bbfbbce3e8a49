# A small Cloud SQL instance on a private address, made only when no database_url is given.
locals {
  makes_database = var.database_url == null ? 1 : 0
}

resource "random_password" "database" {
  count   = local.makes_database
  length  = 40
  special = false
}

resource "google_compute_network" "database" {
  count                   = local.makes_database
  name                    = "lamplighter"
  auto_create_subnetworks = false
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

resource "google_vpc_access_connector" "database" {
  count         = local.makes_database
  name          = "lamplighter"
  region        = var.region
  network       = google_compute_network.database[0].name
  ip_cidr_range = "10.8.0.0/28"
  min_instances = 2
  max_instances = 3
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
  count    = local.makes_database
  name     = "lamplighter"
  instance = google_sql_database_instance.this[0].name
  password = random_password.database[0].result
}
