terraform {
  # Secrets pass through ephemeral variables and write-only arguments, which are in no plan and no state.
  required_version = ">= 1.11"
  required_providers {
    # 7.21 is the first with direct VPC egress for functions.
    google      = { source = "hashicorp/google", version = "~> 7.21" }
    google-beta = { source = "hashicorp/google-beta", version = "~> 7.21" }
    archive     = { source = "hashicorp/archive", version = "~> 2.4" }
  }
}

provider "google" {
  project = var.project
  region  = var.region
}

# Only for the service identity of Pub/Sub, which the other one lacks.
provider "google-beta" {
  project = var.project
  region  = var.region
}

data "google_project" "this" {}
