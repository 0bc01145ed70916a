#!stephost flavor manifest v1 18447 sha256:fc69e1805f691ba84da01106d49b91a8764d6893a97086bc3448b1c0f6c37370
# The manifest of the flavor `kubernetes`. After a change: stephost flavor stamp flavor.hcl
flavor "kubernetes" {
  version      = "0.1.0"
  protocol     = [1]
  summary      = "Runs a step as a Kubernetes Job."
  environment  = ["image"]
  capabilities = ["plan", "find", "logs", "cancel", "cleanup", "preflight"]
  secrets      = "store"
  outputs      = "none"
  handles      = [1]
  pass_env     = ["KUBECONFIG", "KUBERNETES_*", "AWS_*", "GOOGLE_*", "CLOUDSDK_*", "USE_GKE_GCLOUD_AUTH_PLUGIN", "AZURE_*", "AAD_*"]
  machine_arch = "amd64"

  prerequisites = "A cluster of Kubernetes 1.31 or later (podFailurePolicy and podReplacementPolicy are relied on), a namespace, and a registry that its nodes can pull from. Kubernetes promises to run a step once only as far as it says: \"the same program may sometimes be started twice\" when a node is lost; stephost makes one Job with backoffLimit 0, and shows every further start as a restart and a new epoch of the log. Kubernetes gives one log per container, in which standard output and standard error are mixed: all of it arrives as stdout. A kubelet serves the newest file of a rotated log only; where lines may have been lost with an older one, the log says so. So it does at its end on nodes with containerd before 1.6.22 or 1.7.3, which drop what they have not read when a container ends. Images are built for amd64; for other nodes write platform = \"linux/arm64\" in the environment."
  permissions   = <<-EOT
    In the namespace: create, get, list, watch, patch and delete jobs; list, watch and delete pods; get pods/log;
    create and delete secrets, and services for several nodes; list events (optional: reasons for a Job without
    pods). Get the namespaces kube-system and the Job's own, which tell one cluster from another; get and list nodes
    (optional: whether a node's container runtime may lose the end of a log, whether some node fits). As a Role, with
    a ClusterRole for namespaces and nodes:

    ```yaml
    rules:
    - {apiGroups: [batch], resources: [jobs], verbs: [create, get, list, watch, patch, delete]}
    - {apiGroups: [""], resources: [pods], verbs: [get, list, watch, delete]}
    - {apiGroups: [""], resources: [pods/log], verbs: [get]}
    - {apiGroups: [""], resources: [secrets, services], verbs: [create, get, delete]}
    - {apiGroups: [""], resources: [events], verbs: [list]}
    ```
  EOT

  submission {
    idempotency = "key"
    key_lives   = "while_exists"
    settle      = "0s"
    keeps       = "168h"
  }

  resources {
    honours = ["cpu", "memory", "gpu", "gpu_type", "nodes", "disk", "shared_memory"]
  }

  config "namespace" {
    type        = string
    default     = null
    aliases     = ["kubernetes_namespace"]
    description = "Namespace of the Jobs. Default: that of the kubeconfig's context, else default."
    validation {
      condition     = value == null || can(regex("^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$", value))
      error_message = "must be a namespace: small letters, digits and \"-\""
    }
  }

  config "context" {
    type        = string
    default     = null
    aliases     = ["kubernetes_context"]
    description = "Context of the kubeconfig. Default: the current one."
  }

  config "kubeconfig" {
    type        = string
    default     = null
    description = "File of the kubeconfig. Default: KUBECONFIG, else ~/.kube/config, else the service account of the pod that stephost runs in."
  }

  config "in_cluster" {
    type        = bool
    default     = false
    aliases     = ["incluster"]
    description = "Use the service account of the pod that stephost runs in, and no kubeconfig."
  }

  config "job_name_prefix" {
    type        = string
    default     = "stephost"
    description = "Begins the names of Jobs; the attempt's key follows. Whoever launches with the same run tokens must use the same."
    validation {
      condition     = can(regex("^[a-z]([a-z0-9-]{0,18}[a-z0-9])?$", value))
      error_message = "must be at most 20 small letters, digits and \"-\", and begin with a letter"
    }
  }

  config "request_timeout" {
    type        = string
    default     = "30s"
    aliases     = ["api_request_timeout"]
    description = "Longest wait for one answer of the API server."
    validation {
      condition     = can(regex("^([0-9]+(m|s))+$", value))
      error_message = "must be a duration, such as 30s"
    }
  }

  config "gpu_resource" {
    type        = string
    default     = "nvidia.com/gpu"
    description = "Name of the resource that a GPU is asked for by: nvidia.com/gpu, amd.com/gpu, ..."
    validation {
      condition     = can(regex("^[a-z0-9.-]+/[A-Za-z0-9._-]+$", value))
      error_message = "must be the name of a resource, such as nvidia.com/gpu"
    }
  }

  config "gpu_type_labels" {
    type        = map(map(string))
    default     = {}
    merge       = "keys"
    description = "What labels the nodes with a type of GPU have, for example { t4 = { \"nvidia.com/gpu.product\" = \"Tesla-T4\" } } (GPU feature discovery) or { t4 = { \"cloud.google.com/gke-accelerator\" = \"nvidia-tesla-t4\" } }. A gpu_type that is not in it is refused."
  }

  setting "service_account" {
    type        = string
    default     = null
    aliases     = ["service_account_name"]
    description = "Service account of the pods."
  }

  setting "automount_service_account_token" {
    type        = bool
    default     = false
    description = "Give the step the token of its service account."
  }

  setting "node_selector" {
    type        = map(string)
    default     = {}
    merge       = "keys"
    aliases     = ["node_selectors"]
    description = "Labels that a node must have."
  }

  setting "tolerations" {
    type = list(object({
      key                = optional(string)
      operator           = optional(string)
      value              = optional(string)
      effect             = optional(string)
      toleration_seconds = optional(number)
    }))
    default     = []
    description = "Taints of nodes that the pods tolerate."
    validation {
      condition     = alltrue([for t in value : contains(["Equal", "Exists", "Lt", "Gt"], coalesce(t.operator, "Equal")) && contains(["", "NoSchedule", "PreferNoSchedule", "NoExecute"], t.effect == null ? "" : t.effect)])
      error_message = "operator is Equal or Exists, effect is NoSchedule, PreferNoSchedule or NoExecute"
    }
  }

  setting "affinity" {
    type = object({
      node_affinity = optional(object({
        required_during_scheduling_ignored_during_execution = optional(object({
          node_selector_terms = list(object({
            match_expressions = optional(list(object({ key = string, operator = string, values = optional(list(string)) })))
            match_fields      = optional(list(object({ key = string, operator = string, values = optional(list(string)) })))
          }))
        }))
        preferred_during_scheduling_ignored_during_execution = optional(list(object({
          weight = number
          preference = object({
            match_expressions = optional(list(object({ key = string, operator = string, values = optional(list(string)) })))
            match_fields      = optional(list(object({ key = string, operator = string, values = optional(list(string)) })))
          })
        })))
      }))
      pod_affinity = optional(object({
        required_during_scheduling_ignored_during_execution = optional(list(object({
          topology_key   = string
          namespaces     = optional(list(string))
          label_selector = optional(object({ match_labels = optional(map(string)), match_expressions = optional(list(object({ key = string, operator = string, values = optional(list(string)) }))) }))
        })))
        preferred_during_scheduling_ignored_during_execution = optional(list(object({
          weight = number
          pod_affinity_term = object({
            topology_key   = string
            namespaces     = optional(list(string))
            label_selector = optional(object({ match_labels = optional(map(string)), match_expressions = optional(list(object({ key = string, operator = string, values = optional(list(string)) }))) }))
          })
        })))
      }))
      pod_anti_affinity = optional(object({
        required_during_scheduling_ignored_during_execution = optional(list(object({
          topology_key   = string
          namespaces     = optional(list(string))
          label_selector = optional(object({ match_labels = optional(map(string)), match_expressions = optional(list(object({ key = string, operator = string, values = optional(list(string)) }))) }))
        })))
        preferred_during_scheduling_ignored_during_execution = optional(list(object({
          weight = number
          pod_affinity_term = object({
            topology_key   = string
            namespaces     = optional(list(string))
            label_selector = optional(object({ match_labels = optional(map(string)), match_expressions = optional(list(object({ key = string, operator = string, values = optional(list(string)) }))) }))
          })
        })))
      }))
    })
    default     = null
    description = "Affinity of the pods, with Kubernetes' names in snake case."
  }

  setting "pod_labels" {
    type        = map(string)
    default     = {}
    merge       = "keys"
    description = "Labels of the pods, besides stephost's own."
  }

  setting "pod_annotations" {
    type        = map(string)
    default     = {}
    merge       = "keys"
    description = "Annotations of the pods."
  }

  setting "job_labels" {
    type        = map(string)
    default     = {}
    merge       = "keys"
    description = "Labels of the Job, for example kueue.x-k8s.io/queue-name."
  }

  setting "job_annotations" {
    type        = map(string)
    default     = {}
    merge       = "keys"
    description = "Annotations of the Job."
  }

  setting "volumes" {
    type = list(object({
      name                    = string
      empty_dir               = optional(object({ medium = optional(string), size_limit = optional(string) }))
      host_path               = optional(object({ path = string, type = optional(string) }))
      persistent_volume_claim = optional(object({ claim_name = string, read_only = optional(bool) }))
      config_map              = optional(object({ name = string, items = optional(list(object({ key = string, path = string, mode = optional(number) }))), default_mode = optional(number), optional = optional(bool) }))
      secret                  = optional(object({ secret_name = string, items = optional(list(object({ key = string, path = string, mode = optional(number) }))), default_mode = optional(number), optional = optional(bool) }))
      nfs                     = optional(object({ server = string, path = string, read_only = optional(bool) }))
      csi                     = optional(object({ driver = string, fs_type = optional(string), read_only = optional(bool), volume_attributes = optional(map(string)) }))
    }))
    default     = []
    description = "Volumes of the pods. Each has one source; kinds that are not here go into pod_spec_patch."
    validation {
      condition     = alltrue([for v in value : length([for s in [v.empty_dir != null, v.host_path != null, v.persistent_volume_claim != null, v.config_map != null, v.secret != null, v.nfs != null, v.csi != null] : s if s]) == 1])
      error_message = "a volume has exactly one source"
    }
  }

  setting "volume_mounts" {
    type = list(object({
      name              = string
      mount_path        = string
      sub_path          = optional(string)
      read_only         = optional(bool)
      mount_propagation = optional(string)
    }))
    default     = []
    description = "Where the volumes appear in the step's container."
    validation {
      condition     = alltrue([for m in value : startswith(m.mount_path, "/")])
      error_message = "mount_path is an absolute path"
    }
  }

  setting "image_pull_secrets" {
    type        = list(string)
    default     = []
    description = "Names of secrets in the namespace with which nodes pull the image."
  }

  setting "image_pull_policy" {
    type        = string
    default     = null
    one_of      = ["Always", "IfNotPresent", "Never"]
    description = "When nodes pull the image. Default: Kubernetes' own, IfNotPresent for an image by digest."
  }

  setting "env_from" {
    type = list(object({
      prefix         = optional(string)
      config_map_ref = optional(object({ name = string, optional = optional(bool) }))
      secret_ref     = optional(object({ name = string, optional = optional(bool) }))
    }))
    default     = []
    description = "Config maps and secrets of the namespace that become environment variables."
    validation {
      condition     = alltrue([for e in value : (e.config_map_ref == null) != (e.secret_ref == null)])
      error_message = "each element has either config_map_ref or secret_ref"
    }
  }

  setting "pod_security" {
    type        = string
    default     = "restricted"
    one_of      = ["restricted", "baseline", "privileged"]
    description = "Level of the Pod Security Standards that the pods are made for. restricted: not as root but as user and group 1000 with HOME=/tmp, no capabilities, no privilege escalation, seccomp RuntimeDefault. baseline: the user of the image, seccomp RuntimeDefault. privileged: nothing is set. The security contexts below override single fields."
  }

  setting "security_context" {
    type = object({
      run_as_user            = optional(number)
      run_as_group           = optional(number)
      run_as_non_root        = optional(bool)
      fs_group               = optional(number)
      fs_group_change_policy = optional(string)
      supplemental_groups    = optional(list(number))
      seccomp_profile        = optional(object({ type = string, localhost_profile = optional(string) }))
      se_linux_options       = optional(object({ user = optional(string), role = optional(string), type = optional(string), level = optional(string) }))
      sysctls                = optional(list(object({ name = string, value = string })))
    })
    default     = null
    aliases     = ["pod_security_context"]
    description = "Security context of the pods: fields that differ from the pod_security level."
  }

  setting "container_security_context" {
    type = object({
      run_as_user                = optional(number)
      run_as_group               = optional(number)
      run_as_non_root            = optional(bool)
      allow_privilege_escalation = optional(bool)
      read_only_root_filesystem  = optional(bool)
      capabilities               = optional(object({ add = optional(list(string)), drop = optional(list(string)) }))
      seccomp_profile            = optional(object({ type = string, localhost_profile = optional(string) }))
      se_linux_options           = optional(object({ user = optional(string), role = optional(string), type = optional(string), level = optional(string) }))
    })
    default     = null
    description = "Security context of the step's container: fields that differ from the pod_security level."
  }

  setting "privileged" {
    type        = bool
    default     = false
    description = "Run the container privileged. Needs pod_security = \"privileged\"."
  }

  setting "host_ipc" {
    type        = bool
    default     = false
    description = "Use the node's IPC namespace. Needs pod_security = \"privileged\"."
  }

  setting "priority_class" {
    type        = string
    default     = null
    aliases     = ["priority_class_name"]
    description = "Priority class of the pods."
  }

  setting "runtime_class" {
    type        = string
    default     = null
    aliases     = ["runtime_class_name"]
    description = "Runtime class of the pods, for example nvidia."
  }

  setting "termination_grace_period_seconds" {
    type        = number
    default     = 30
    min         = 1
    description = "Time between SIGTERM and SIGKILL when a node is drained or the step's pod is deleted. Also the longest grace that a cancel can give."
  }

  setting "ttl_seconds_after_finished" {
    type        = number
    default     = 691200
    min         = 604800
    description = "Kubernetes deletes an ended Job after so long. At least 7 days, because the Job is the proof of how the run ended; null = never."
  }

  setting "active_deadline_seconds" {
    type        = number
    default     = null
    min         = 1
    description = "Kubernetes ends the Job after so long, waiting included. It deletes the pods then, with the end of their log. Prefer timeouts.run, which counts the run alone and is handed down by itself."
  }

  setting "pod_startup_timeout" {
    type        = string
    default     = null
    description = "Longest wait until the containers of all pods run; then the Job is ended with the reason of the wait. timeouts.provisioning does the same for every flavor."
    validation {
      condition     = value == null || can(regex("^([0-9]+(h|m|s))+$", value))
      error_message = "must be a duration, such as 10m"
    }
  }

  setting "fail_fast" {
    type        = list(string)
    default     = ["InvalidImageName", "ErrImageNeverPull", "ImagePullBackOff", "CreateContainerConfigError"]
    aliases     = ["fail_on_container_waiting_reasons"]
    description = "Reasons for which a container waits that end the Job at once, because waiting does not help. [] = wait. ErrImagePull is the first failed pull; ImagePullBackOff follows when it was no passing one."
  }

  setting "pod_spec_patch" {
    type        = any
    default     = null
    description = "Strategic merge patch for the pod's spec, with Kubernetes' own names, for all that has no setting: an object, or a text in YAML. The step's container is called step."
  }

  rule {
    condition     = !(config.in_cluster && (given.context || given.kubeconfig))
    error_message = "in_cluster uses no kubeconfig: leave context and kubeconfig out"
    paths         = ["config.in_cluster", "config.context", "config.kubeconfig"]
  }

  rule {
    condition     = !(settings.privileged || settings.host_ipc) || settings.pod_security == "privileged"
    error_message = "privileged and host_ipc need pod_security = \"privileged\""
    paths         = ["settings.privileged", "settings.host_ipc", "settings.pod_security"]
  }
}
