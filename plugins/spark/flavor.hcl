#!stephost flavor manifest v1 15590 sha256:0172a245fe35e4d8700c8a5cdd421b37aaeaed7ccf2be17f9a9fac8652633b2b
# The manifest of the flavor `spark`. After a change: stephost flavor stamp flavor.hcl
flavor "spark" {
  version      = "0.1.0"
  protocol     = [1]
  summary      = "Runs a step as an Apache Spark application."
  environment  = ["directory"]
  capabilities = ["plan", "prepare", "find", "logs", "cancel", "cleanup", "preflight"]
  secrets      = "store"
  outputs      = "directory"
  handles      = [1]
  pass_env     = ["SPARK_*", "PYSPARK_*", "JAVA_HOME", "HADOOP_*", "YARN_*", "LD_LIBRARY_PATH", "OMP_*", "CUDA_*"]

  prerequisites = <<-EOT
    Spark 3.4 or later and the Java that it needs on the machine that launches (`stephost doctor` looks), and bash, which Spark's own scripts are written in. `pyspark` among the requirements of the step brings a Spark along. `cluster` mode needs neither, but the REST API of a standalone master (on by default since Spark 4.1, before that `spark.master.rest.enabled = true`), and a directory that launcher and workers share.

    The command is a Python script (`["train.py", ...]`, `["python", "train.py", ...]`), a jar (`["app.jar", ...]` with `main_class`), or any other program, which then runs as the driver of the application, with PySpark's gateway in its environment. What the code itself says, such as a master in SparkSession.builder, wins over the operator.

    In client mode the driver is a process of the launching machine: it outlives stephost, but not the machine or the container. In cluster mode a run whose answer from the REST API is lost stays `unknown`: the API has neither names nor a list, so nobody can look whether there is a driver, and nothing is sent again. It tells no exit codes either.

    Masters on Kubernetes are refused: use the flavor kubernetes, or a step that runs spark-submit itself. `yarn` works in client mode and was not verified on a real cluster (assumption).
  EOT
  permissions   = "None beyond those of the user who launches. A secret is in the environment of the driver's process: other users cannot read it, other processes of the same user can, and executors do not get it. It never becomes a property of Spark, which the UI and the event log would show. In cluster mode the master and its workers are shown the driver's environment, so a secret needs `allow_visible_secrets = true` there."

  submission {
    idempotency = "key"
    key_lives   = "while_exists"
    settle      = "60s"
    keeps       = "168h"
  }

  resources {
    honours = ["cpu", "memory", "gpu", "nodes"]
  }

  config "master" {
    type        = string
    description = "Where the application runs: local[N], local[*], spark://HOST:PORT (several masters with commas), or yarn."
    validation {
      condition     = !can(regex("^k8s://", value))
      error_message = "Spark on Kubernetes is not built into this flavor yet: use the flavor kubernetes with an image that has Spark and a master local[*], or a standalone master"
    }
    validation {
      condition     = can(regex("^(local|local\\[([1-9][0-9]*|\\*)(,[1-9][0-9]*)?\\]|spark://[^\\s/,@]+:[0-9]+(,[^\\s/,@]+:[0-9]+)*|yarn|k8s://.*)$", value))
      error_message = "must be local, local[N], local[*], spark://HOST:PORT or yarn"
    }
  }

  config "spark_home" {
    type        = string
    default     = null
    description = "Directory of Spark on the launching machine. Default: SPARK_HOME, else the pyspark of the step's requirements, else the spark-submit in PATH."
    validation {
      condition     = value == null || can(regex("^/", value))
      error_message = "must be an absolute path"
    }
  }

  config "java_home" {
    type        = string
    default     = null
    description = "Directory of Java on the launching machine. Default: JAVA_HOME, else the java in PATH."
    validation {
      condition     = value == null || can(regex("^/", value))
      error_message = "must be an absolute path"
    }
  }

  config "state_dir" {
    type        = string
    default     = null
    description = "Directory for the records, logs and outputs of jobs: absolute, on a local disk. Default: stephost-spark in XDG_STATE_HOME, or in ~/.local/state."
    validation {
      condition     = value == null || can(regex("^/", value))
      error_message = "must be an absolute path"
    }
  }

  config "inherit_env" {
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
    type        = string
    default     = null
    description = "Directory that this machine and all workers see under the same path, for cluster mode: the step's source, its packages and its outputs lie there. The user of the workers must be able to write to what this user makes there."
    validation {
      condition     = value == null || can(regex("^/", value))
      error_message = "must be an absolute path"
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
    description = "Script that tells Spark which GPUs an executor, and a driver, has, for example /opt/spark/examples/src/main/scripts/getGpusResources.sh: a path on the machines where they run. A standalone worker knows its GPUs itself."
  }

  setting "packages" {
    type        = list(string)
    default     = []
    description = "Maven packages of the application: \"group:artifact:version\". They are resolved by spark-submit when the driver starts."
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
    description = "Level of Spark's own log. Above INFO stephost does not learn the application's ID, and shows no stages."
  }

  setting "queue" {
    type         = string
    default      = null
    applies_when = config.master == "yarn"
    description  = "Queue of YARN."
  }

  setting "ship_environment" {
    type        = bool
    default     = true
    description = "Send the step's source and its Python packages along to executors on other machines (standalone, yarn). false where they have what they need."
  }

  rule {
    condition     = settings.deploy_mode == "client" || can(regex("^spark://", config.master))
    error_message = "cluster mode is built for standalone masters (spark://...) alone: on a local master the driver is here anyway, and for yarn use client"
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
    condition     = can(regex("^(local|yarn)", config.master)) || settings.executors == null || settings.executor_cores != null || resources.cpu != null
    error_message = "a standalone master counts in cores: with executors write executor_cores, or resources { cpu }"
    paths         = ["settings.executors"]
  }
  rule {
    condition     = settings.task_gpus == null || resources.gpu != null
    error_message = "task_gpus is a part of the executor's GPUs: it needs resources { gpu }"
    paths         = ["settings.task_gpus"]
  }
}
