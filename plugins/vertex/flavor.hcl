#!stephost flavor manifest v1 18095 sha256:23449209e12515b0caf88079d2d7dbf2678fe7dfd6b6f02fc6f0b2c5ccaee822
# The manifest of the flavor `vertex`. After a change: stephost flavor stamp flavor.hcl
flavor "vertex" {
  version      = "0.1.0"
  protocol     = [1]
  summary      = "Runs a step as a custom training job of Google Vertex AI."
  environment  = ["image"]
  capabilities = ["plan", "find", "logs", "cancel", "cleanup", "preflight", "registry_auth", "read_output"]
  secrets      = "visible"
  outputs      = "uri"
  handles      = [1]
  pass_env     = ["GOOGLE_*", "CLOUDSDK_*", "GCE_METADATA_*", "NO_GCE_CHECK"]
  machine_arch = "amd64"

  prerequisites = <<-EOT
    A project with the APIs `aiplatform.googleapis.com` and `logging.googleapis.com` (and `artifactregistry.googleapis.com` for images, `cloudquotas.googleapis.com` for doctor's look at quotas), and quota for the machines in the region. `stephost doctor OPERATOR` asks for all of it.

    Signing in is what every tool of Google Cloud does: `gcloud auth application-default login`, GOOGLE_APPLICATION_CREDENTIALS, a workload identity, the machine's own account, or `gcloud auth login` alone; or `service_account_path`. Tokens are renewed while a run lasts.

    Give `bucket_name`: outputs need it, and so does certainty. Vertex AI takes no key for a job, so that stephost keeps a marker for each attempt in the bucket (`stephost/keys/`, `stephost/tokens/`); without it a launch whose answer is lost may stay `unknown` until somebody looks, and a first launch with --run-token waits for a minute. The step finds its outputs' place in STEPHOST_OUTPUT_URI, and, in an image that stephost builds, as the directory STEPHOST_OUTPUT_DIR, where Vertex AI mounts the bucket.

    For people who come from other tools: `machine_type`, `accelerator_type`, `accelerator_count`, `boot_disk_size_gb`, `boot_disk_type`, `persistent_resource_id`, `service_account`, `region`, `encryption_spec_key_name`, `network`, `reserved_ip_ranges`, `project`, `service_account_path` and `additional_training_job_args` are called so here too, and each is in the request. An `accelerator_type` without a count is one accelerator, not none. A limit of time is `timeouts.run`, a label `labels`, cpu, memory, disk, gpu and nodes are `resources`.

    Not verified on the real service, for want of one: whether lists of jobs are late, and for how long; whether arguments with `$(NAME)` are rewritten (those travel packed); in which state and with which words a job ends that ran out of time or lost its Spot machines; how soon and in which order log entries become readable; that a restart by Vertex AI itself never happens with disableRetries (a job on Spot machines may be restarted); which quota metric an accelerator has. A line of the log that is a JSON object comes back with its names sorted, lines are cut at 256 KiB, and bytes that are no UTF-8 are replaced: Cloud Logging keeps no more.
  EOT
  permissions   = <<-EOT
    Who launches: `aiplatform.customJobs.create`, `get`, `list`, `cancel` (and `delete` for `run prune --remote`), `iam.serviceAccounts.actAs` on the job's service account, `logging.logEntries.list`, and on the bucket `storage.objects.create`, `get`, `list`, `delete`. The roles Vertex AI User, Service Account User, Logs Viewer and Storage Object User hold them. For images: Artifact Registry Writer, and Artifact Registry Administrator where the repository is to be made. For doctor: Cloud Quotas Viewer.

    The job's own account: Artifact Registry Reader, Logs Writer, and Storage Object User on the bucket.

    Secrets are in the job's environment and can be read by everybody with `aiplatform.customJobs.get`.
  EOT

  submission {
    idempotency = "search"
    settle      = "60s"
    keeps       = "168h"
  }

  resources {
    honours = ["cpu", "memory", "gpu", "gpu_type", "nodes", "disk"]
  }

  # Where, and as whom.

  config "project" {
    type        = string
    default     = null
    description = "ID of the Google Cloud project. Default: that of the credentials file, else GOOGLE_CLOUD_PROJECT, else CLOUDSDK_CORE_PROJECT."
    aliases     = ["project_id"]
    validation {
      condition     = value == null || can(regex("^([a-z][a-z0-9-]{4,28}[a-z0-9]|[a-z0-9.-]+[.][a-z]+:[a-z][a-z0-9-]{2,28}[a-z0-9]|[0-9]+)$", value))
      error_message = "must be the ID of a project, such as my-project-123: 6 to 30 small letters, digits and \"-\""
    }
  }

  config "region" {
    type        = string
    description = "Region that the job runs in, for example europe-west1."
    aliases     = ["location"]
    validation {
      condition     = !can(regex("^[a-z]+-[a-z]+[0-9]+-[a-z]$", value))
      error_message = "is a zone; Vertex AI takes a region, here ${substr(value, 0, length(value) - 2)}"
    }
    validation {
      condition     = can(regex("^[a-z]+-[a-z]+[0-9]+(-[a-z])?$", value))
      error_message = "must be a region of Google Cloud, such as europe-west1"
    }
  }

  config "service_account_path" {
    type        = string
    default     = null
    description = "Path of a service account's key file (or of another credentials file of Google Cloud) to sign in with. Default: the application default credentials, as `gcloud auth application-default login` makes them."
    aliases     = ["credentials_file"]
    validation {
      condition     = value == null || length(value) > 0
      error_message = "must be the path of a file"
    }
    validation {
      condition     = value == null || can(regex("^(/|~/|[A-Za-z]:)", value))
      error_message = "is relative, so it is looked for where stephost is started; an absolute path works from everywhere"
      severity      = "warning"
    }
  }

  config "impersonate_service_account" {
    type        = string
    default     = null
    description = "E-mail address of a service account to act as; the login needs the role Service Account Token Creator on it."
    validation {
      condition     = value == null || can(regex("^[a-z0-9-]+@[a-z0-9.:-]+[.]gserviceaccount[.]com$", value))
      error_message = "must be the e-mail address of a service account, such as trainer@my-project.iam.gserviceaccount.com"
    }
  }

  config "bucket_name" {
    type        = string
    default     = null
    description = "Bucket of Cloud Storage (my-bucket, gs://my-bucket or gs://my-bucket/folder): holds the outputs, and the markers that keep two launches of one run apart. Without it a step has no outputs, and a first launch with --run-token waits for the settling time."
    aliases     = ["bucket", "staging_bucket"]
    validation {
      condition     = value == null || can(regex("^(gs://)?[a-z0-9][a-z0-9._-]{1,220}[a-z0-9](/[^\\s?#\\[\\]*]*)?$", value))
      error_message = "must be a bucket of Cloud Storage, such as my-bucket or gs://my-bucket/folder"
    }
  }

  config "network" {
    type        = string
    default     = null
    description = "VPC network that the job is peered with: projects/NUMBER/global/networks/NAME."
    validation {
      condition     = value == null || can(regex("^projects/[a-z0-9.:-]+/global/networks/[a-z]([a-z0-9-]*[a-z0-9])?$", value))
      error_message = "must be the full name of a network, projects/12345/global/networks/my-network"
    }
  }

  config "reserved_ip_ranges" {
    type        = any
    default     = null
    description = "Names of reserved address ranges of the network that the job may use: a list, or one string with commas."
    validation {
      condition     = value == null || can(regex("^[a-z][a-z0-9-]*( *, *[a-z][a-z0-9-]*)*$", value)) || (can(length(value)) && can([for r in value : regex("^[a-z][a-z0-9-]*$", r)]))
      error_message = "must be names of address ranges: [\"one\", \"two\"] or \"one,two\""
    }
  }

  config "encryption_spec_key_name" {
    type        = string
    default     = null
    description = "Cloud KMS key that the job's data is encrypted with: projects/P/locations/REGION/keyRings/R/cryptoKeys/K."
    aliases     = ["encryption_key"]
    validation {
      condition     = value == null || can(regex("^projects/[^/]+/locations/[^/]+/keyRings/[^/]+/cryptoKeys/[^/]+$", value))
      error_message = "must be the full name of a key, projects/P/locations/REGION/keyRings/R/cryptoKeys/K"
    }
  }

  config "endpoints" {
    type        = map(string)
    default     = {}
    description = "Other addresses of services, for private endpoints and emulators: aiplatform, logging, storage, artifactregistry, iamcredentials, cloudquotas. \"host\" or \"host:port\" is spoken to with TLS, \"http://127.0.0.1:port\" without."
    validation {
      condition     = alltrue([for name in keys(value) : contains(["aiplatform", "logging", "storage", "artifactregistry", "iamcredentials", "cloudquotas"], name)])
      error_message = "the services are aiplatform, logging, storage, artifactregistry, iamcredentials and cloudquotas"
    }
    validation {
      condition     = alltrue([for address in values(value) : can(regex("^((https://)?[A-Za-z0-9.-]+(:[0-9]+)?|http://(localhost|127[.][0-9.]+|\\[::1\\]):[0-9]+)/?$", address))])
      error_message = "an address is \"host\", \"host:port\" or \"https://host:port\"; \"http://\" only for this machine (127.0.0.1), because a token would travel readable"
    }
  }

  config "max_calls_per_minute" {
    type        = number
    default     = 120
    min         = 6
    max         = 6000
    description = "Most calls that one stephost process makes a minute to ask Vertex AI about its jobs, for all operators of a project and region together. (Creating and cancelling never wait for it.)"
  }

  config "max_log_calls_per_minute" {
    type        = number
    default     = 50
    min         = 6
    max         = 60000
    description = "Most calls a minute to read Cloud Logging. The quota of a project is 60."
  }

  # The job.

  setting "machine_type" {
    type        = string
    default     = null
    description = "Machine type, for example n1-standard-4. Default: the smallest that gives the step's resources; n1-standard-4 when it asks for none."
    validation {
      condition     = value == null || can(regex("^[a-z][a-z0-9]*(-[a-z0-9]+)+$", value))
      error_message = "must be a machine type, such as n1-standard-4"
    }
  }

  setting "accelerator_type" {
    type        = string
    default     = null
    description = "Accelerator in the words of Vertex AI, for example NVIDIA_TESLA_T4. Default: that of the step's gpu and gpu_type."
    validation {
      condition     = value == null || can(regex("^(NVIDIA|TPU)_[A-Z0-9_]+$", value))
      error_message = "must be written as Vertex AI has it, such as NVIDIA_TESLA_T4 or NVIDIA_L4; gpu_type = \"t4\" in the step's resources works on every flavor"
    }
    validation {
      condition     = value == null || !can(regex("^(NVIDIA|TPU)_", value)) || contains(["NVIDIA_TESLA_K80", "NVIDIA_TESLA_P100", "NVIDIA_TESLA_V100", "NVIDIA_TESLA_P4", "NVIDIA_TESLA_T4", "NVIDIA_TESLA_A100", "NVIDIA_A100_80GB", "NVIDIA_L4", "NVIDIA_H100_80GB", "NVIDIA_H100_MEGA_80GB", "NVIDIA_H200_141GB", "NVIDIA_B200", "NVIDIA_GB200", "NVIDIA_RTX_PRO_6000", "TPU_V2", "TPU_V3", "TPU_V4_POD", "TPU_V5_LITEPOD"], value)
      error_message = "${value} is no accelerator that Vertex AI had in 2026-10%{ for near in [for n in ["NVIDIA_TESLA_K80", "NVIDIA_TESLA_P100", "NVIDIA_TESLA_V100", "NVIDIA_TESLA_P4", "NVIDIA_TESLA_T4", "NVIDIA_TESLA_A100", "NVIDIA_A100_80GB", "NVIDIA_L4", "NVIDIA_H100_80GB", "NVIDIA_H200_141GB", "NVIDIA_B200", "TPU_V2", "TPU_V3"] : n if substr(n, 0, length(value) - 1) == substr(value, 0, length(value) - 1) || substr(n, length(n) - 3, 3) == substr(value, length(value) - 3, 3)] }; did you mean ${near}?%{ endfor }"
      severity      = "warning"
    }
  }

  setting "accelerator_count" {
    type        = number
    default     = null
    min         = 0
    max         = 16
    description = "Accelerators of each machine. Default: the step's gpu, else 1 where there is an accelerator_type."
  }

  setting "gpu_partition_size" {
    type        = string
    default     = null
    description = "Size of a part of a GPU, for example 1g.10gb."
  }

  setting "tpu_topology" {
    type        = string
    default     = null
    description = "Topology of TPUs, for example 2x2x1."
  }

  setting "boot_disk_size_gb" {
    type        = number
    default     = null
    min         = 100
    max         = 65536
    description = "Size of each machine's disk in GB. Default: the step's disk, at least 100."
  }

  setting "boot_disk_type" {
    type        = string
    default     = null
    description = "Type of the disk: pd-ssd, pd-standard or hyperdisk-balanced. Default: pd-ssd; hyperdisk-balanced on machine types that have no other (a3-ultragpu, a4, a4x)."
    validation {
      condition     = value == null || can(regex("^(pd|hyperdisk)-[a-z-]+$", value))
      error_message = "must be a type of disk: pd-ssd, pd-standard or hyperdisk-balanced"
    }
  }

  setting "service_account" {
    type        = string
    default     = null
    description = "E-mail address of the service account that the job runs as. Default: the Vertex AI Custom Code Service Agent of the project."
    validation {
      condition     = value == null || can(regex("^[a-z0-9-]+@[a-z0-9.:-]+[.]gserviceaccount[.]com$", value))
      error_message = "must be the e-mail address of a service account, such as trainer@my-project.iam.gserviceaccount.com"
    }
  }

  setting "persistent_resource_id" {
    type        = string
    default     = null
    description = "Persistent resource whose machines run the job: no machine is started for it."
    validation {
      condition     = value == null || can(regex("^[a-z]([a-z0-9-]{0,126}[a-z0-9])?$", value))
      error_message = "must be the ID of a persistent resource: small letters, digits and \"-\""
    }
  }

  setting "scheduling_strategy" {
    type        = string
    default     = null
    one_of      = ["STANDARD", "SPOT", "FLEX_START"]
    description = "STANDARD (default), SPOT for machines that may be taken away at any time, or FLEX_START to wait in the queue for scarce ones."
  }

  setting "max_wait_duration" {
    type         = string
    default      = null
    description  = "Longest wait in the queue of FLEX_START, for example 12h; 0s = without end. Default: the step's timeouts.provisioning, else 24h."
    applies_when = settings.scheduling_strategy == "FLEX_START"
    validation {
      condition     = value == null || can(regex("^([0-9]+(h|m|s))+$", value))
      error_message = "must be a duration, such as 90m or 12h"
    }
  }

  setting "reservation_affinity" {
    type = object({
      type   = string
      key    = optional(string)
      values = optional(list(string), [])
    })
    default     = null
    description = "Reservation of Compute Engine to use: type NO_RESERVATION, ANY_RESERVATION or SPECIFIC_RESERVATION; the latter with key compute.googleapis.com/reservation-name and the reservation's full name in values."
    validation {
      condition     = value == null || can(regex("^(NO|ANY|SPECIFIC)_RESERVATION$", value.type))
      error_message = "type is NO_RESERVATION, ANY_RESERVATION or SPECIFIC_RESERVATION"
    }
  }

  setting "nfs_mounts" {
    type        = list(object({ server = string, path = string, mount_point = string }))
    default     = []
    description = "NFS shares; a share appears as /mnt/nfs/MOUNT_POINT."
  }

  setting "tensorboard" {
    type        = string
    default     = null
    description = "TensorBoard that the job writes to: projects/P/locations/REGION/tensorboards/ID. Needs service_account and bucket_name."
    validation {
      condition     = value == null || can(regex("^projects/[^/]+/locations/[^/]+/tensorboards/[^/]+$", value))
      error_message = "must be the full name of a TensorBoard, projects/P/locations/REGION/tensorboards/ID"
    }
  }

  setting "experiment" {
    type        = string
    default     = null
    description = "Experiment that the job belongs to: the full name of its context, projects/P/locations/REGION/metadataStores/default/contexts/NAME."
  }

  setting "experiment_run" {
    type        = string
    default     = null
    description = "Run of the experiment: the full name of its context."
  }

  setting "enable_web_access" {
    type        = bool
    default     = false
    description = "Let people open a shell in the job's containers."
  }

  setting "enable_dashboard_access" {
    type        = bool
    default     = false
    description = "Let people open the dashboard that the step serves."
  }

  setting "job_labels" {
    type        = map(string)
    default     = {}
    merge       = "keys"
    description = "More labels of the job: small letters, digits, \"_\" and \"-\"."
  }

  setting "additional_training_job_args" {
    type        = any
    default     = null
    description = "Further fields of CustomJobSpec by their names in the API, for example { pscInterfaceConfig = {...} }. What stephost sets itself is refused here."
    aliases     = ["additional_job_spec"]
  }

  rule {
    condition     = !given.accelerator_count || settings.accelerator_count == 0 || settings.accelerator_type != null || resources.gpu_type != null
    error_message = "accelerator_count needs accelerator_type (or gpu_type in the step's resources)"
    paths         = ["settings.accelerator_count"]
  }
  rule {
    condition     = settings.persistent_resource_id == null || settings.service_account != null
    error_message = "a job on a persistent resource usually needs the service_account that the resource was made with"
    severity      = "warning"
    paths         = ["settings.persistent_resource_id"]
  }
  rule {
    condition     = settings.tensorboard == null || (settings.service_account != null && config.bucket_name != null)
    error_message = "tensorboard needs service_account and bucket_name"
    paths         = ["settings.tensorboard"]
  }
  rule {
    condition     = config.reserved_ip_ranges == null || config.network != null
    error_message = "reserved_ip_ranges are ranges of a network: give network too"
    paths         = ["config.reserved_ip_ranges"]
  }
}
