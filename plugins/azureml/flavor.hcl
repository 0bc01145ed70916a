#!stephost flavor manifest v1 16418 sha256:263504cdd62a364ec607d47b0467c9faa94ae23e5d7fa5781bafb9536d02e0d5
# The manifest of the flavor `azureml`. After a change: stephost flavor stamp flavor.hcl
flavor "azureml" {
  version      = "0.1.0"
  protocol     = [1]
  summary      = "Runs a step as a command job of Azure Machine Learning."
  environment  = ["image", "none"]
  capabilities = ["plan", "find", "logs", "cancel", "prepare", "preflight", "registry_auth", "read_output"]
  secrets      = "visible"
  outputs      = "uri"
  handles      = [1]
  pass_env     = ["AZURE_*", "IDENTITY_*", "MSI_*", "IMDS_*"]
  machine_arch = "amd64"

  submission {
    idempotency = "key"
    key_lives   = "forever"
    settle      = "10s"
    keeps       = "2160h"
  }

  resources {
    honours = ["cpu", "memory", "gpu", "gpu_type", "nodes", "shared_memory"]
  }

  # Where, and as whom.

  config "subscription_id" {
    type        = string
    description = "ID of the Azure subscription."
    validation {
      condition     = can(regex("^[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}$", value))
      error_message = "must be the ID of a subscription, such as 01234567-89ab-cdef-0123-456789abcdef"
    }
  }

  config "resource_group" {
    type        = string
    aliases     = ["resource_group_name"]
    description = "Resource group of the workspace."
    validation {
      condition     = can(regex("^[A-Za-z0-9_().-]{0,89}[A-Za-z0-9_()-]$", value))
      error_message = "must be the name of a resource group: letters, digits, \"_\", \"-\", \".\" and parentheses, at most 90, without \".\" at its end"
    }
  }

  config "workspace_name" {
    type        = string
    aliases     = ["workspace"]
    description = "Workspace of Azure Machine Learning."
    validation {
      condition     = can(regex("^[A-Za-z0-9][A-Za-z0-9_-]{2,32}$", value))
      error_message = "must be the name of a workspace: 3 to 33 letters, digits, \"_\" and \"-\""
    }
  }

  config "tenant_id" {
    type        = string
    default     = null
    description = "Tenant of Microsoft Entra that the login belongs to. Default: AZURE_TENANT_ID, or that of the login."
    validation {
      condition     = value == null || can(regex("^([0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}|[A-Za-z0-9-]+([.][A-Za-z0-9-]+)+)$", value))
      error_message = "must be the ID of a tenant, such as 01234567-89ab-cdef-0123-456789abcdef, or its domain"
    }
  }

  config "service_principal_id" {
    type        = string
    default     = null
    aliases     = ["client_id"]
    description = "Client ID of a service principal to sign in as. Default: Azure's default chain (environment, workload identity, managed identity, `az login`, `azd auth login`)."
    validation {
      condition     = value == null || can(regex("^[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}$", value))
      error_message = "must be a client ID, such as 01234567-89ab-cdef-0123-456789abcdef"
    }
  }

  config "service_principal_password" {
    type        = string
    default     = null
    sensitive   = true
    aliases     = ["client_secret"]
    description = "Secret of the service principal."
  }

  config "cloud" {
    type        = string
    default     = "public"
    one_of      = ["public", "usgovernment", "china"]
    description = "Which Azure: public, usgovernment or china."
  }

  config "endpoints" {
    type        = map(string)
    default     = {}
    description = "Other addresses of services, for private endpoints and emulators: management (default management.azure.com), history (logs and reasons; default that of the workspace), authority (logins) and registry. \"http://127.0.0.1:port\" is spoken to without TLS."
    validation {
      condition     = alltrue([for name in keys(value) : contains(["management", "history", "authority", "registry"], name)])
      error_message = "the services are management, history, authority and registry"
    }
    validation {
      condition     = alltrue([for address in values(value) : can(regex("^(https://[A-Za-z0-9.-]+(:[0-9]+)?|http://(localhost|127[.][0-9.]+|\\[::1\\]):[0-9]+)/?$", address))])
      error_message = "an address is \"https://host\" or \"https://host:port\"; \"http://\" only for this machine (127.0.0.1), because a token would travel readable"
    }
  }

  config "max_calls_per_minute" {
    type        = number
    default     = 120
    min         = 6
    max         = 100000
    description = "Most calls that one stephost process makes a minute to ask about jobs of a workspace, however many runs it follows. (Creating and cancelling never wait for it.)"
  }

  config "log_settle" {
    type        = string
    default     = "10s"
    description = "How long the log of an ended job must not grow before it counts as whole: AzureML copies it some seconds late."
    validation {
      condition     = can(regex("^([0-9]+(h|m|s|ms))+$", value))
      error_message = "must be a duration such as \"10s\""
    }
  }

  # Machines.

  setting "mode" {
    type        = string
    default     = null
    one_of      = ["serverless", "compute-cluster", "compute-instance"]
    description = "Where the job runs. Default: serverless without compute_name; with it, whatever compute has that name."
  }

  setting "compute_name" {
    type        = string
    default     = null
    aliases     = ["compute_target_name", "compute"]
    description = "Compute cluster or compute instance of the workspace."
    validation {
      condition     = value == null || can(regex("^[A-Za-z][A-Za-z0-9-]{1,31}$", value))
      error_message = "must be the name of a compute: a letter, then letters, digits and \"-\", 2 to 32 in all"
    }
  }

  setting "create" {
    type        = bool
    default     = false
    aliases     = ["create_compute"]
    description = "Make compute_name before the job if it is missing. It stays, and costs what its idle times allow."
  }

  setting "size" {
    type        = string
    default     = null
    aliases     = ["instance_type", "vm_size", "compute_size"]
    description = "VM size, for example Standard_NC4as_T4_v3: of the serverless job, or of the compute that is made. Default: the smallest that gives the step's resources; Standard_DS3_v2 when it asks for none."
    validation {
      condition     = value == null || can(regex("^(Standard|Basic)_[A-Za-z0-9_-]+$", value)) || can(regex("^(?i)STANDARD_[A-Z0-9_-]+$", value))
      error_message = "must be a VM size of Azure, such as Standard_DS3_v2"
    }
  }

  setting "tier" {
    type        = string
    default     = null
    aliases     = ["job_tier"]
    description = "Serverless: spot, basic, standard or premium. A compute cluster that is made: dedicated or low_priority."
    validation {
      condition     = value == null || can(regex("^(?i)(spot|basic|standard|premium|dedicated|low_priority|lowpriority)$", value))
      error_message = "must be spot, basic, standard or premium (serverless), or dedicated or low_priority (a compute cluster that is made)"
    }
  }

  setting "location" {
    type        = string
    default     = null
    description = "Region of the compute that is made. Default: that of the workspace."
    validation {
      condition     = value == null || can(regex("^[a-z][a-z0-9]+$", value))
      error_message = "must be a region of Azure in its short form, such as westeurope"
    }
  }

  setting "min_instances" {
    type        = number
    default     = null
    min         = 0
    max         = 1000
    description = "Least nodes of the cluster that is made. Default: 0."
  }

  setting "max_instances" {
    type        = number
    default     = null
    min         = 1
    max         = 1000
    description = "Most nodes of the cluster that is made. Default: the step's nodes."
  }

  setting "idle_time_before_scaledown" {
    type        = number
    default     = null
    min         = 1
    max         = 2147483647
    aliases     = ["idle_time_before_scaledown_down", "idle_time_before_scale_down"]
    description = "Seconds before an idle node of the cluster that is made goes away. Default: 120."
  }

  setting "idle_time_before_shutdown_minutes" {
    type        = number
    default     = null
    min         = 15
    max         = 4320
    description = "Refused: see idle_time_before_scaledown for clusters. The version of Azure's API in use has no idle shutdown of instances; set it in the studio."
    validation {
      condition     = value == null
      error_message = "the API that stephost uses (2024-04-01) has no idle shutdown for compute instances: set it in Azure Machine Learning studio, or use a cluster or serverless, which cost nothing when idle"
    }
  }

  # The job.

  setting "environment_name" {
    type        = string
    default     = null
    description = "Environment of the workspace for steps that name no image: NAME (its newest version), NAME:VERSION, azureml://registries/R/environments/NAME/versions/V, or its full ID. The step's source then travels as a code asset."
    validation {
      condition     = value == null || can(regex("^(azureml:)?[A-Za-z0-9][A-Za-z0-9._-]{0,254}(:[A-Za-z0-9._-]+|@latest)?$", value)) || can(regex("^azureml://registries/[^/]+/environments/[^/]+/versions/[^/]+$", value)) || can(regex("^/subscriptions/[^/]+/resourceGroups/[^/]+/providers/Microsoft[.]MachineLearningServices/workspaces/[^/]+/environments/[^/]+/versions/[^/]+$", value))
      error_message = "must be NAME, NAME:VERSION, azureml://registries/R/environments/NAME/versions/V, or the full ID of an environment's version"
    }
  }

  setting "experiment_name" {
    type        = string
    default     = null
    description = "Experiment that the job is shown under. Default: that of AzureML (\"Default\")."
    validation {
      condition     = value == null || can(regex("^[A-Za-z0-9][A-Za-z0-9_-]{0,254}$", value))
      error_message = "must have letters, digits, \"_\" and \"-\""
    }
  }

  setting "display_name" {
    type        = string
    default     = null
    description = "Name of the job in the studio. Default: pipeline, run and step."
  }

  setting "description" {
    type        = string
    default     = null
    description = "Text of the job in the studio."
  }

  setting "tags" {
    type        = map(string)
    default     = {}
    merge       = "keys"
    description = "More tags of the job."
  }

  setting "identity" {
    type        = string
    default     = null
    one_of      = ["aml_token", "managed", "user"]
    description = "Whom the job acts as: aml_token (default), managed (identity of the compute, or the one of identity_*), or user (the person who launches)."
  }

  setting "identity_client_id" {
    type         = string
    default      = null
    applies_when = settings.identity == "managed"
    description  = "Client ID of a user-assigned managed identity."
  }

  setting "identity_object_id" {
    type         = string
    default      = null
    applies_when = settings.identity == "managed"
    description  = "Object ID of a user-assigned managed identity."
  }

  setting "identity_resource_id" {
    type         = string
    default      = null
    applies_when = settings.identity == "managed"
    description  = "Resource ID of a user-assigned managed identity."
  }

  setting "docker_args" {
    type        = string
    default     = null
    description = "More arguments of docker run, for example --ulimit memlock=-1."
  }

  setting "shm_size" {
    type        = string
    default     = null
    description = "Size of /dev/shm, for example 2g. Default: the step's shared_memory, else AzureML's 2g."
    validation {
      condition     = value == null || can(regex("^[1-9][0-9]*[bkmg]$", value))
      error_message = "must be a number and b, k, m or g, such as 2g"
    }
  }

  setting "additional_job_args" {
    type        = any
    default     = null
    description = "Further members of a command job under their API names, for example { notificationSetting = {...} }. Those that stephost sets itself are refused."
  }

  rule {
    condition     = given.service_principal_id == given.service_principal_password
    error_message = "service_principal_id and service_principal_password are given together or not at all"
    paths         = ["config.service_principal_id", "config.service_principal_password"]
  }
  rule {
    condition     = !given.service_principal_id || given.tenant_id
    error_message = "a service principal needs its tenant_id"
    paths         = ["config.tenant_id"]
  }
  rule {
    condition     = settings.mode != "serverless" || settings.compute_name == null
    error_message = "mode serverless uses no compute: leave compute_name out, or mode"
    paths         = ["settings.mode", "settings.compute_name"]
  }
  rule {
    condition     = settings.mode == null || settings.mode == "serverless" || settings.compute_name != null
    error_message = "the modes compute-cluster and compute-instance need compute_name"
    paths         = ["settings.mode"]
  }
  rule {
    condition     = !settings.create || (settings.compute_name != null && settings.size != null)
    error_message = "create makes compute_name, and needs that name and its size"
    paths         = ["settings.create"]
  }
  rule {
    condition     = settings.create || settings.compute_name == null || settings.size == null
    error_message = "an existing compute has its size already: leave size out, or write create = true to make the compute if it is missing"
    paths         = ["settings.size"]
  }
  rule {
    condition     = settings.create || (settings.location == null && settings.min_instances == null && settings.max_instances == null && settings.idle_time_before_scaledown == null)
    error_message = "is for a compute that is made: it needs create = true"
    paths         = ["settings.location", "settings.min_instances", "settings.max_instances", "settings.idle_time_before_scaledown"]
  }
  rule {
    condition     = settings.mode != "compute-instance" || (settings.min_instances == null && settings.max_instances == null && settings.idle_time_before_scaledown == null && settings.tier == null)
    error_message = "is for clusters: a compute instance is one machine"
    paths         = ["settings.min_instances", "settings.max_instances", "settings.idle_time_before_scaledown", "settings.tier"]
  }
  rule {
    condition     = settings.tier == null || (settings.compute_name == null) == can(regex("^(?i)(spot|basic|standard|premium)$", settings.tier))
    error_message = "spot, basic, standard and premium are for serverless jobs, dedicated and low_priority for a compute cluster that is made"
    paths         = ["settings.tier"]
  }
  rule {
    condition     = settings.tier == null || settings.compute_name == null || settings.create
    error_message = "an existing compute has its tier already: leave tier out"
    paths         = ["settings.tier"]
  }

  prerequisites = <<-EOT
    A workspace of Azure Machine Learning, and a login: `az login`, a managed or workload identity, the variables AZURE_CLIENT_ID, AZURE_TENANT_ID and AZURE_CLIENT_SECRET, or a service principal in the config. Images come best from the Azure Container Registry that is attached to the workspace. Quotas for GPUs are 0 in new subscriptions: ask for them in the studio under Quota.

    Experience with other frameworks carries over: `mode`, `compute_name` (or `compute_target_name`), `size`, `tier` and `environment_name` mean the same. A mode need not be written: a compute name says enough.

    Not verified on the real service (assumptions, also marked in the source): that the command runs in bash, in a directory of its own, with `outputs` below it uploaded; the text that names an exit code in a failure; the text of quota messages; that several nodes write `user_logs/std_log_process_N.txt`; that lists begin with the newest job.
  EOT
  permissions   = <<-EOT
    Whoever launches needs the role AzureML Data Scientist on the workspace (with `create = true` also AzureML Compute Operator), and AcrPush on the registry for images that stephost builds.
    In single actions: `Microsoft.MachineLearningServices/workspaces/read`, `.../jobs/*`, `.../environments/*`, `.../codes/*`, `.../computes/read`, `.../experiments/runs/read`.
    The workspace's identity (serverless) or the compute's needs AcrPull on the registry.
    Readers of a job see its environment: secrets are refused unless the step says `allow_visible_secrets = true`.
  EOT
}
