# One entry point of functions/index.ts as a Cloud Run function, and who can invoke it.
terraform {
  required_providers {
    google = { source = "hashicorp/google" }
  }
}

resource "google_cloudfunctions2_function" "this" {
  name     = "lamplighter-${var.name}"
  location = var.region

  build_config {
    runtime           = "nodejs24"
    entry_point       = var.name
    service_account   = var.build.account
    docker_repository = var.build.repository
    source {
      storage_source {
        bucket = var.build.bucket
        object = var.build.object
      }
    }
  }

  service_config {
    available_memory                 = var.settings.memory
    available_cpu                    = "1"
    timeout_seconds                  = var.settings.timeout
    max_instance_count               = var.settings.instances
    max_instance_request_concurrency = var.settings.concurrency
    service_account_email            = var.account
    environment_variables            = var.environment
    direct_vpc_egress                = var.subnetwork == null ? null : "VPC_EGRESS_PRIVATE_RANGES_ONLY"

    dynamic "direct_vpc_network_interface" {
      for_each = var.subnetwork[*]
      content {
        network    = direct_vpc_network_interface.value.network
        subnetwork = direct_vpc_network_interface.value.id
      }
    }

    dynamic "secret_environment_variables" {
      for_each = var.secrets
      content {
        key        = secret_environment_variables.key
        project_id = var.project
        secret     = secret_environment_variables.value
        version    = "latest"
      }
    }
  }
}

resource "google_cloud_run_v2_service_iam_member" "invoker" {
  for_each = var.invokers

  location = var.region
  name     = google_cloudfunctions2_function.this.name
  role     = "roles/run.invoker"
  member   = each.value
}
