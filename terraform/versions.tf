terraform {
  # Secrets pass through ephemeral variables and write-only arguments, which neither a plan nor the state stores.
  required_version = ">= 1.11"
  required_providers {
    # 7.21 is the first version with direct VPC egress for functions.
    google      = { source = "hashicorp/google", version = "~> 7.21" }
    google-beta = { source = "hashicorp/google-beta", version = "~> 7.21" }
    archive     = { source = "hashicorp/archive", version = "~> 2.4" }
  }
}

provider "google" {
  project = var.project
  region  = var.region
}

# Used only for Pub/Sub's service identity, which the google provider lacks.
provider "google-beta" {
  project = var.project
  region  = var.region
}

data "google_project" "this" {}
