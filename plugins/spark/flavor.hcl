#!stephost flavor manifest v1 31850 sha256:c6add122ac8b812c98fb701fec6de498a3f47276c931e0ee0b7b61d0b96539b1
# The manifest of the flavor `spark`. After a change: stephost flavor stamp flavor.hcl
flavor "spark" {
  version      = "0.1.0"
  protocol     = [1]
  summary      = "Runs a step as an Apache Spark application."
  environment  = ["directory", "image"]
  capabilities = ["plan", "prepare", "find", "logs", "cancel", "cleanup", "preflight"]
  secrets      = "store"
  outputs      = "directory"
  handles      = [1]
  pass_env     = ["SPARK_*", "PYSPARK_*", "JAVA_HOME", "HADOOP_*", "YARN_*", "LD_LIBRARY_PATH", "OMP_*", "CUDA_*", "KUBECONFIG", "KUBERNETES_*", "AWS_*", "GOOGLE_*", "CLOUDSDK_*", "USE_GKE_GCLOUD_AUTH_PLUGIN", "AZURE_*", "AAD_*"]
  machine_arch = "amd64"

  prerequisites = <<-EOT
    Spark 3.4 or later and the Java that it needs on the machine that launches (`stephost doctor` looks), and bash, which Spark's own scripts are written in. `pyspark` among the requirements of the step brings a Spark along. `cluster` mode needs neither, but the REST API of a standalone master (on by default since Spark 4.1, before that `spark.master.rest.enabled = true`), and a directory that launcher and workers share.

    The command is a Python script (`["train.py", ...]`, `["python", "train.py", ...]`), a jar (`["app.jar", ...]` with `main_class`), or any other program, which then runs as the driver of the application, with PySpark's gateway in its environment. What the code itself says, such as a master in SparkSession.builder, wins over the operator.

    In client mode the driver is a process of the launching machine: it outlives stephost, but not the machine or the container. In cluster mode a run whose answer from the REST API is lost stays `unknown`: the API has neither names nor a list, so stephost cannot look whether there is a driver, and nothing is sent again. A person can: the worker's page of a driver shows its launch command, which holds the run's key. `stephost run resolve RUN --handle '{"key":"KEY","driver":"driver-..."}'` goes on with the driver, `--not-submitted` ends a run that has none. The API tells no exit codes either. A driver whose worker the master has lost is `lost`, and is not launched again by itself: the master gives it up, but it may run on.

    When the command ends in cluster mode, or is cancelled, whatever it has started ends with it, on workers with Linux.

    `yarn` works in client mode and was not verified on a real cluster (assumption).

    **On Kubernetes** (`master = "k8s://"`) the driver is a Job, as the flavor kubernetes makes one, and spark-submit runs in its pod. So the launching machine needs neither Java nor Spark, and all that holds for Jobs holds for the driver: never two for one attempt, found by key and by run token, whole logs, a confirmed cancel. (`spark-submit --deploy-mode cluster` would be a Java process on the launching machine that nobody could recover before there is a driver.) It takes a cluster of Kubernetes 1.31 or later, and a registry that its nodes can pull from.

    The step's environment is an image there, the same for driver and executors. It needs Java, bash, Python for Python steps, and a Spark: SPARK_HOME of the image, else the `pyspark` that its Python finds, such as that of the requirements, else /opt/spark. Executors are pods that the driver's pod owns. They get neither the step's env (`spark.executorEnv.NAME` among submit_kwargs gives them variables) nor its secrets. What they are to read or write must be where they see it: an address, or a volume (volumes, volume_mounts). Spark's log and the step's output are one log, because Kubernetes keeps them so. There is no output directory; values (`::stephost value`) travel. Executors that an image runs with Spark's own /opt/entrypoint.sh are started by it. Images are built for amd64; for other nodes write platform = "linux/arm64" in the environment.

    Which cluster it is says the kubeconfig, as for the flavor kubernetes. An address in the master is for pods alone: the driver asks there for executors, with the token and the certificate authority of its service account. What Spark's documentation writes for a cluster on one's own machine, `k8s://https://127.0.0.1:6443`, is taken where the kubeconfig has the same.

    `packages` are resolved in the driver's pod, and executors get them from the driver; the Maven settings of the launching machine do not count there. With GPUs Spark runs gpu_discovery_script in each pod, and a task is told the addresses that it prints. A node pulls from a registry with a password by image_pull_secrets; the credentials with which stephost pushes stay on the launching machine. GPUs were seen on a node that only says that it has some (extended resources), never with a device plugin.
  EOT
  permissions   = <<-EOT
    None beyond those of the user who launches. A secret is in the environment of the driver's process: other users cannot read it, other processes of the same user can, and executors do not get it. It never becomes a property of Spark, which the UI and the event log would show. In cluster mode the master and its workers are shown the driver's environment, so a secret needs `allow_visible_secrets = true` there.

    **On Kubernetes** who launches needs in the namespace what the flavor kubernetes needs: create, get, list, watch,
    patch and delete jobs; list, watch and delete pods; get pods/log; create, get and delete secrets; list events
    (optional: reasons for a Job without pods); get the namespaces kube-system and the Job's own. Two more are
    optional: get pods/proxy (stages and tasks of a running application, from its own UI), and create
    localsubjectaccessreviews (`stephost doctor` tells what the driver's service account may do). A secret of the
    step is a Secret that the driver's pod gets by secretKeyRef; executors do not get it.

    The service account of the driver makes the executors. Its Role:

    ```yaml
    rules:
    - {apiGroups: [""], resources: [pods], verbs: [create, get, list, watch, patch, delete, deletecollection]}
    ```

    Where submit_kwargs have Spark make more, it needs more: persistentvolumeclaims for claims on demand,
    the same verbs. Services and config maps are not made.
  EOT

  submission {
    idempotency = "key"
    key_lives   = "while_exists"
    settle      = "60s"
    keeps       = "168h"
  }

  environment_kind "directory" {
    applies_when = !startswith(config.master, "k8s://")
  }
  environment_kind "image" {
    applies_when = startswith(config.master, "k8s://")
  }

  resources {
    honours = ["cpu", "memory", "gpu", "nodes"]
  }

  config "master" {
    type        = string
    description = "Where the application runs: local[N], local[*], spark://HOST:PORT (several masters with commas), yarn, or Kubernetes: k8s:// for the cluster that the kubeconfig leads to, where executors are asked for at the address that every pod has for its API server; k8s://https://HOST:PORT where pods reach it under another one, with brackets around an IPv6 address. A loopback address must be the kubeconfig's own, and means k8s://."
    validation {
      condition     = can(regex("^(local|local\\[([1-9][0-9]*|\\*)(,[1-9][0-9]*)?\\]|spark://[^\\s/,@]+:[0-9]+(,[^\\s/,@]+:[0-9]+)*|yarn|k8s://(https?://(\\[[0-9A-Fa-f:.]+\\]|[^\\s/,@:\\[\\]]+)(:[0-9]+)?(/[^\\s,]*)?)?)$", value))
      error_message = "must be local, local[N], local[*], spark://HOST:PORT, yarn, k8s:// or k8s://https://HOST:PORT (an IPv6 address in brackets)"
    }
  }

  config "spark_home" {
    type        = string
    default     = null
    description = "Directory of Spark on the launching machine. Default: SPARK_HOME, else the pyspark of the step's requirements, else the spark-submit in PATH. On Kubernetes: its directory in the image; default: SPARK_HOME of the image, else its pyspark, else /opt/spark."
    validation {
      condition     = value == null || can(regex("^/", value))
      error_message = "must be an absolute path"
    }
  }

  config "java_home" {
    type        = string
    default     = null
    description = "Directory of Java on the launching machine, or in the image on Kubernetes. Default: JAVA_HOME, else the java in PATH."
    validation {
      condition     = value == null || can(regex("^/", value))
      error_message = "must be an absolute path"
    }
  }

  config "state_dir" {
    applies_when = !startswith(config.master, "k8s://")
    type        = string
    default     = null
    description = "Directory for the records, logs and outputs of jobs: absolute, on a local disk. Default: stephost-spark in XDG_STATE_HOME, or in ~/.local/state."
    validation {
      condition     = value == null || can(regex("^/", value))
      error_message = "must be an absolute path"
    }
  }

  config "inherit_env" {
    applies_when = !startswith(config.master, "k8s://")
    type        = list(string)
    default     = []
    description = "Names of environment variables of the launching machine that the driver gets in client mode, besides the basic ones (PATH, HOME, USER, LANG, TMPDIR, proxies) and Spark's own (SPARK_CONF_DIR, SPARK_LOCAL_DIRS, SPARK_LOCAL_IP, HADOOP_CONF_DIR, YARN_CONF_DIR). Only those that pass_env lets through are there."
  }

  config "master_ui" {
    type        = string
    default     = null
    description = "Address of a standalone master's web UI, which tells whether the executors of a cancelled application are gone, or \"none\" not to ask. Default: http://HOST:8080 of the master."
    validation {
      condition     = value == null || can(regex("^(none|https?://\\S+)$", value))
      error_message = "must begin with http:// or https://, or be \"none\""
    }
  }

  config "rest_url" {
    type        = string
    default     = null
    description = "Address of a standalone master's REST API, for cluster mode. Default: http://HOST:6066 of the master."
    validation {
      condition     = value == null || can(regex("^https?://\\S+$", value))
      error_message = "must begin with http:// or https://"
    }
  }

  config "rest_token" {
    type        = string
    default     = null
    sensitive   = true
    description = "Bearer token for the REST API, where the master has a filter that asks for one (spark.master.rest.filters)."
  }

  config "shared_dir" {
    applies_when = !startswith(config.master, "k8s://")
    type        = string
    default     = null
    description = "Directory that this machine and all workers see under the same path, for cluster mode: the step's source, its packages and its outputs lie there. The user of the workers must be able to write to what this user makes there."
    validation {
      condition     = value == null || can(regex("^/", value))
      error_message = "must be an absolute path"
    }
  }

  config "namespace" {
    type         = string
    default      = null
    aliases      = ["kubernetes_namespace"]
    applies_when = startswith(config.master, "k8s://")
    description  = "Namespace of the driver's Job and of executors. Default: that of the kubeconfig's context, else default."
    validation {
      condition     = value == null || can(regex("^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$", value))
      error_message = "must be a namespace: small letters, digits and \"-\""
    }
  }

  config "context" {
    type         = string
    default      = null
    aliases      = ["kubernetes_context"]
    applies_when = startswith(config.master, "k8s://")
    description  = "Context of the kubeconfig. Default: the current one."
  }

  config "kubeconfig" {
    type         = string
    default      = null
    applies_when = startswith(config.master, "k8s://")
    description  = "File of the kubeconfig. Default: KUBECONFIG, else ~/.kube/config, else the service account of the pod that stephost runs in."
  }

  config "in_cluster" {
    type         = bool
    default      = false
    aliases      = ["incluster"]
    applies_when = startswith(config.master, "k8s://")
    description  = "Use the service account of the pod that stephost runs in, and no kubeconfig."
  }

  config "service_account" {
    type         = string
    default      = null
    aliases      = ["service_account_name"]
    applies_when = startswith(config.master, "k8s://")
    description  = "Service account of the driver and its executors. The driver needs its permissions to make executors (Permissions, below), and only it gets a token. Default: default."
  }

  config "gpu_resource" {
    type         = string
    default      = "nvidia.com/gpu"
    applies_when = startswith(config.master, "k8s://")
    description  = "Name of the resource that a GPU is asked for by: nvidia.com/gpu, amd.com/gpu. Spark wants it to end in /gpu."
    validation {
      condition     = can(regex("^[a-z0-9.-]+/gpu$", value))
      error_message = "must be the name of a resource that ends in /gpu, such as nvidia.com/gpu"
    }
  }

  setting "deploy_mode" {
    type        = string
    default     = "client"
    one_of      = ["client", "cluster"]
    description = "Where the driver runs: on the launching machine (client), or on a worker of a standalone cluster (cluster), submitted by its REST API."
  }

  setting "submit_kwargs" {
    type        = map(string)
    default     = {}
    merge       = "keys"
    aliases     = ["conf"]
    description = "Properties of Spark, for example { \"spark.sql.shuffle.partitions\" = \"64\" }. Each one reaches Spark. Readers of the UI and of event logs see them: they are no place for secrets."
    validation {
      condition     = alltrue([for k, v in value : can(regex("^spark\\.[^\\s=]+$", k))])
      error_message = "names of properties begin with \"spark.\": Spark ignores others"
    }
    validation {
      condition     = alltrue([for k, v in value : !contains(["spark.master", "spark.submit.deployMode", "spark.app.name", "spark.driver.supervise", "spark.yarn.maxAppAttempts", "spark.driver.memory", "spark.executor.memory", "spark.executor.cores", "spark.executor.instances", "spark.cores.max", "spark.jars", "spark.jars.packages", "spark.jars.excludes", "spark.jars.repositories", "spark.files", "spark.archives", "spark.submit.pyFiles", "spark.eventLog.enabled", "spark.eventLog.dir", "spark.log.level", "spark.yarn.queue", "spark.executor.resource.gpu.amount", "spark.executor.resource.gpu.discoveryScript", "spark.task.resource.gpu.amount", "spark.driver.resource.gpu.amount", "spark.driver.resource.gpu.discoveryScript"], k) && !startswith(k, "spark.stephost.")])
      error_message = "holds a property that a field of its own is for (master, deploy_mode, driver_memory, executor_memory, executor_cores, executors, packages, jars, py_files, files, archives, event_log_dir, log_level, queue, the GPU fields), or that stephost sets itself: a driver is never started twice"
    }
    validation {
      condition     = alltrue([for k, v in value : !can(regex("[\\r\\x00]", v))])
      error_message = "a value cannot hold a carriage return: Spark's scripts take it out"
    }
  }

  setting "main_class" {
    type        = string
    default     = null
    description = "Main class of a jar; not needed where its manifest names one (client mode)."
  }

  setting "driver_memory" {
    type        = string
    default     = null
    description = "Memory of the driver's Java, as Spark writes it: 2g, 512m. On a local master the step's resources.memory does the same."
    validation {
      condition     = value == null || can(regex("^[1-9][0-9]*[kmgt]b?$", lower(value)))
      error_message = "must be an amount such as 512m or 2g"
    }
  }

  setting "executor_memory" {
    type        = string
    default     = null
    description = "Memory of each executor's Java. Default: the step's resources.memory, else Spark's."
    validation {
      condition     = value == null || can(regex("^[1-9][0-9]*[kmgt]b?$", lower(value)))
      error_message = "must be an amount such as 512m or 2g"
    }
  }

  setting "executor_cores" {
    type        = number
    default     = null
    min         = 1
    description = "Cores of each executor. Default: the step's resources.cpu, else Spark's."
  }

  setting "executors" {
    type        = number
    default     = null
    min         = 1
    aliases     = ["num_executors"]
    description = "Number of executors. Default: the step's resources.nodes, else Spark's. A standalone master counts in cores, so executor_cores or resources.cpu is needed there."
  }

  setting "task_gpus" {
    type        = number
    default     = null
    description = "GPUs that one task needs; a fraction lets several tasks share one. Default: the executor's GPUs divided by its cores."
    validation {
      condition     = value == null || try(value > 0, false)
      error_message = "must be more than 0"
    }
  }

  setting "driver_gpus" {
    type        = number
    default     = null
    min         = 1
    description = "GPUs of the driver."
  }

  setting "gpu_discovery_script" {
    type        = string
    default     = null
    description = "Script that tells Spark which GPUs an executor, and a driver, has, for example /opt/spark/examples/src/main/scripts/getGpusResources.sh: a path on the machines where they run. A standalone worker knows its GPUs itself. On Kubernetes a path in the image, and needed with GPUs: \"./gpus.sh\" for a script of the step's source."
  }

  setting "packages" {
    type        = list(string)
    default     = []
    description = "Maven packages of the application: \"group:artifact:version\". They are resolved by spark-submit when the driver starts: on Kubernetes in the driver's pod, which must reach Maven Central, or what DEFAULT_ARTIFACT_REPOSITORY in the step's env names instead, or one of repositories."
    validation {
      condition     = alltrue([for p in value : can(regex("^[^:,\\s]+:[^:,\\s]+:[^:,\\s]+$", p))])
      error_message = "each must be group:artifact:version"
    }
  }

  setting "exclude_packages" {
    type        = list(string)
    default     = []
    description = "What packages must not bring along: \"group:artifact\"."
    validation {
      condition     = alltrue([for p in value : can(regex("^[^:,\\s]+:[^:,\\s]+$", p))])
      error_message = "each must be group:artifact"
    }
  }

  setting "repositories" {
    type        = list(string)
    default     = []
    description = "Further Maven repositories for packages."
    validation {
      condition     = alltrue([for p in value : can(regex("^[^,\\s]+$", p))])
      error_message = "each must be an address without spaces and commas"
    }
  }

  setting "jars" {
    type        = list(string)
    default     = []
    description = "Jars for driver and executors: paths, below the step's work directory if relative, or URLs."
    validation {
      condition     = alltrue([for p in value : can(regex("^[^,\\r\\n]+$", p))])
      error_message = "a path cannot hold a comma or a line break: Spark takes lists with commas"
    }
  }

  setting "py_files" {
    type        = list(string)
    default     = []
    description = "Python files, zips and eggs for driver and executors, besides the step's own source: paths or URLs."
    validation {
      condition     = alltrue([for p in value : can(regex("^[^,\\r\\n]+$", p))])
      error_message = "a path cannot hold a comma or a line break: Spark takes lists with commas"
    }
  }

  setting "files" {
    type        = list(string)
    default     = []
    description = "Files that Spark puts into the working directory of each executor: paths or URLs."
    validation {
      condition     = alltrue([for p in value : can(regex("^[^,\\r\\n]+$", p))])
      error_message = "a path cannot hold a comma or a line break: Spark takes lists with commas"
    }
  }

  setting "archives" {
    type        = list(string)
    default     = []
    description = "Archives that Spark unpacks in the working directory of each executor: paths or URLs, with #NAME for the name of the directory."
    validation {
      condition     = alltrue([for p in value : can(regex("^[^,\\r\\n]+$", p))])
      error_message = "a path cannot hold a comma or a line break: Spark takes lists with commas"
    }
  }

  setting "event_log_dir" {
    type        = string
    default     = null
    description = "Directory or URL for Spark's event log, which the history server reads."
  }

  setting "log_level" {
    type        = string
    default     = null
    one_of      = ["ALL", "DEBUG", "INFO", "WARN", "ERROR", "FATAL", "OFF", "TRACE"]
    description = "Level of Spark's own log. Above INFO stephost does not learn the application's ID, and shows no stages; else it shows them from half a minute on."
  }

  setting "queue" {
    type         = string
    default      = null
    applies_when = config.master == "yarn"
    description  = "Queue of YARN."
  }

  setting "ship_environment" {
    applies_when = !startswith(config.master, "k8s://")
    type        = bool
    default     = true
    description = "Send the step's source and its Python packages along to executors on other machines (standalone, yarn). false where they have what they need."
  }

  setting "driver_cores" {
    type         = number
    default      = null
    applies_when = startswith(config.master, "k8s://")
    description  = "CPU of the driver's pod, for example 1 or 0.5. Default: none is asked for, and none is the limit. Its memory is that of its Java (driver_memory, else 1g) and what Spark adds to that for the container: four tenths for Python, one tenth for a jar, 384 MiB at least, or spark.driver.memoryOverhead among submit_kwargs."
    validation {
      condition     = value == null || try(value >= 0.001, false)
      error_message = "must be more than 0"
    }
  }

  setting "node_selector" {
    type         = map(string)
    default      = {}
    merge        = "keys"
    applies_when = startswith(config.master, "k8s://")
    description  = "Labels that the nodes of driver and executors must have. spark.kubernetes.executor.node.selector.NAME among submit_kwargs adds some for executors alone."
  }

  setting "tolerations" {
    type = list(object({
      key                = optional(string)
      operator           = optional(string)
      value              = optional(string)
      effect             = optional(string)
      toleration_seconds = optional(number)
    }))
    default      = []
    applies_when = startswith(config.master, "k8s://")
    description  = "Taints of nodes that driver and executors tolerate."
    validation {
      condition     = value == null || alltrue([for t in value : contains(["Equal", "Exists", "Lt", "Gt"], coalesce(t.operator, "Equal")) && contains(["", "NoSchedule", "PreferNoSchedule", "NoExecute"], t.effect == null ? "" : t.effect)])
      error_message = "operator is Equal or Exists, effect is NoSchedule, PreferNoSchedule or NoExecute"
    }
  }

  setting "pod_labels" {
    type         = map(string)
    default      = {}
    merge        = "keys"
    applies_when = startswith(config.master, "k8s://")
    description  = "Labels of the pods of driver and executors, besides stephost's and Spark's own."
  }

  setting "pod_annotations" {
    type         = map(string)
    default      = {}
    merge        = "keys"
    applies_when = startswith(config.master, "k8s://")
    description  = "Annotations of the pods of driver and executors."
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
    default      = []
    applies_when = startswith(config.master, "k8s://")
    description  = "Volumes of the pods of driver and executors, each with one source."
    validation {
      condition     = value == null || alltrue([for v in value : length([for s in [v.empty_dir != null, v.host_path != null, v.persistent_volume_claim != null, v.config_map != null, v.secret != null, v.nfs != null, v.csi != null] : s if s]) == 1])
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
    default      = []
    applies_when = startswith(config.master, "k8s://")
    description  = "Where the volumes appear, in driver and executors."
    validation {
      condition     = value == null || alltrue([for m in value : startswith(m.mount_path, "/")])
      error_message = "mount_path is an absolute path"
    }
  }

  setting "image_pull_secrets" {
    type         = list(string)
    default      = []
    applies_when = startswith(config.master, "k8s://")
    description  = "Names of secrets in the namespace with which nodes pull the image."
  }

  setting "image_pull_policy" {
    type         = string
    default      = null
    one_of       = ["Always", "IfNotPresent", "Never"]
    applies_when = startswith(config.master, "k8s://")
    description  = "When nodes pull the image. Default: Kubernetes' own for the driver and Spark's for executors, both IfNotPresent for an image by digest."
  }

  setting "pod_security" {
    type         = string
    default      = "restricted"
    one_of       = ["restricted", "baseline", "privileged"]
    applies_when = startswith(config.master, "k8s://")
    description  = "Level of the Pod Security Standards that the pods of driver and executors are made for. restricted: not as root but as user and group 1000, by the name of spark and with the home /tmp, no capabilities, no privilege escalation, seccomp RuntimeDefault. baseline: the user of the image, seccomp RuntimeDefault. privileged: nothing is set."
  }

  setting "termination_grace_period_seconds" {
    type         = number
    default      = 30
    min          = 1
    applies_when = startswith(config.master, "k8s://")
    description  = "Time between SIGTERM and SIGKILL when a node is drained or a pod is deleted. Also the longest grace that a cancel can give."
  }

  setting "ttl_seconds_after_finished" {
    type         = number
    default      = 691200
    min          = 604800
    applies_when = startswith(config.master, "k8s://")
    description  = "Kubernetes deletes the ended Job of a driver after so long. At least 7 days, because the Job is the proof of how the run ended; null = never."
  }

  rule {
    condition     = settings.deploy_mode == "client" || can(regex("^spark://", config.master))
    error_message = "cluster mode is built for standalone masters (spark://...) alone: on a local master the driver is here anyway, on Kubernetes it always runs in the cluster, and for yarn use client"
    paths         = ["settings.deploy_mode"]
  }
  rule {
    condition     = settings.deploy_mode == "client" || config.shared_dir != null
    error_message = "cluster mode needs shared_dir in the operator's config: the driver runs on a worker, which must find the step's source there"
    paths         = ["settings.deploy_mode"]
  }
  rule {
    condition     = !can(regex("^local", config.master)) || (settings.executors == null && settings.executor_cores == null && settings.executor_memory == null)
    error_message = "a local master has no executors: the number of threads stands in local[N], and driver_memory or resources.memory is the memory"
    paths         = ["settings.executors", "settings.executor_cores", "settings.executor_memory"]
  }
  rule {
    condition     = can(regex("^(local|yarn|k8s://)", config.master)) || settings.executors == null || settings.executor_cores != null || resources.cpu != null
    error_message = "a standalone master counts in cores: with executors write executor_cores, or resources { cpu }"
    paths         = ["settings.executors"]
  }
  rule {
    condition     = settings.task_gpus == null || resources.gpu != null
    error_message = "task_gpus is a part of the executor's GPUs: it needs resources { gpu }"
    paths         = ["settings.task_gpus"]
  }
  rule {
    condition     = !startswith(config.master, "k8s://") || (resources.gpu == null && settings.driver_gpus == null) || settings.gpu_discovery_script != null || can(settings.submit_kwargs["spark.resources.discoveryPlugin"])
    error_message = "a pod's GPUs are known to Spark by a script alone, and without one no executor begins: with resources { gpu } or driver_gpus set gpu_discovery_script"
    paths         = ["settings.gpu_discovery_script"]
  }
  rule {
    condition     = !startswith(config.master, "k8s://") || (config.master_ui == null && config.rest_url == null && config.rest_token == null)
    error_message = "only a standalone master (spark://...) has master_ui, rest_url and rest_token: on Kubernetes the API server is asked, with the kubeconfig's credentials"
    paths         = ["config.master_ui", "config.rest_url", "config.rest_token"]
  }
  rule {
    condition     = !(try(config.in_cluster, false) == true && (given.context || given.kubeconfig))
    error_message = "with in_cluster no kubeconfig is used: leave context and kubeconfig out"
    paths         = ["config.in_cluster", "config.context", "config.kubeconfig"]
  }
  rule {
    condition     = !startswith(config.master, "k8s://") || alltrue([for k, v in settings.submit_kwargs : !contains(["spark.kubernetes.namespace", "spark.kubernetes.context", "spark.kubernetes.driver.pod.name", "spark.kubernetes.container.image", "spark.kubernetes.driver.container.image", "spark.kubernetes.executor.container.image", "spark.kubernetes.container.image.pullPolicy", "spark.kubernetes.container.image.pullSecrets", "spark.kubernetes.executor.podNamePrefix", "spark.kubernetes.executor.podTemplateFile", "spark.kubernetes.executor.podTemplateContainerName", "spark.kubernetes.executor.disableConfigMap", "spark.driver.host", "spark.driver.cores", "spark.submit.deployMode"], k) && !startswith(k, "spark.kubernetes.driver.volumes.") && !startswith(k, "spark.kubernetes.driver.secrets.") && !startswith(k, "spark.kubernetes.driver.secretKeyRef.") && !startswith(k, "spark.kubernetes.driver.label.") && !startswith(k, "spark.kubernetes.driver.annotation.") && !startswith(k, "spark.kubernetes.driver.node.selector.") && !startswith(k, "spark.kubernetes.driver.request.") && !startswith(k, "spark.kubernetes.driver.limit.") && !startswith(k, "spark.kubernetes.driver.podTemplate") && !startswith(k, "spark.kubernetes.driverEnv.") && !startswith(k, "spark.kubernetes.authenticate.driver.")])
    error_message = "a property in submit_kwargs has a field of its own (namespace, context, image_pull_policy, image_pull_secrets, driver_cores, the step's environment), or stephost sets it itself, or Spark reads it where it makes the driver's pod, which is a Job here: use node_selector, pod_labels, pod_annotations, volumes, env and secrets"
    paths         = ["settings.submit_kwargs"]
  }
}
