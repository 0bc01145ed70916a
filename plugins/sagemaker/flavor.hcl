#!stephost flavor manifest v1 24576 sha256:797cec85a0e4f322bc501a31ed93e0690db499311a8ed390e11649172a3013df
# The manifest of the flavor `sagemaker`. After a change: stephost flavor stamp flavor.hcl
flavor "sagemaker" {
  version      = "0.1.0"
  protocol     = [1]
  summary      = "Runs a step as an Amazon SageMaker training job."
  environment  = ["image"]
  capabilities = ["plan", "find", "logs", "cancel", "prepare", "preflight", "registry_auth", "read_output"]
  secrets      = "visible"
  outputs      = "uri"
  handles      = [1]
  pass_env     = ["AWS_*"]
  machine_arch = "amd64"

  submission {
    idempotency = "key"
    key_lives   = "forever"
    settle      = "60s"
    keeps       = "2160h"
  }

  resources {
    honours = ["cpu", "memory", "gpu", "gpu_type", "nodes", "disk"]
  }

  config "role" {
    type        = string
    aliases     = ["execution_role", "role_arn"]
    description = "IAM role that the job runs as: its ARN, or its name in the account of the login. A role with a path needs the ARN."
    validation {
      condition     = can(regex("^(arn:aws[a-z-]*:iam::[0-9]{12}:role/[A-Za-z0-9+=,.@_/-]+|[A-Za-z0-9+=,.@_-]{1,64})$", value))
      error_message = "must be the ARN of an IAM role (arn:aws:iam::123456789012:role/NAME) or its name"
    }
  }

  config "region" {
    type        = string
    default     = null
    aliases     = ["aws_region"]
    description = "AWS region. Default: that of the login (AWS_REGION, the profile)."
    validation {
      condition     = value == null || can(regex("^[a-z]{2}(-[a-z]+)+-[0-9]+$", value))
      error_message = "must be a region such as eu-west-1"
    }
  }

  config "bucket_name" {
    type        = string
    default     = null
    aliases     = ["bucket"]
    description = "S3 bucket for what steps leave. Default: sagemaker-REGION-ACCOUNT, as SageMaker's own tools have it. It must exist."
    validation {
      condition     = value == null || can(regex("^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$", value))
      error_message = "must be the name of a bucket, without s3:// and without a path"
    }
  }

  config "bucket_prefix" {
    type        = string
    default     = "stephost"
    description = "Path in the bucket. Below it each job has one of its own name."
    validation {
      condition     = value == "" || can(regex("^[A-Za-z0-9!_.*'()-]+(/[A-Za-z0-9!_.*'()-]+)*$", value))
      error_message = "must be a path such as team/jobs, without a slash at its ends"
    }
  }

  config "profile" {
    type        = string
    default     = null
    aliases     = ["aws_profile", "profile_name"]
    description = "Profile of the AWS configuration files. Default: AWS_PROFILE, else \"default\"."
  }

  config "access_key_id" {
    type        = string
    default     = null
    aliases     = ["aws_access_key_id"]
    description = "Access key, where the AWS default chain (environment, files, SSO, instance and container roles) is not to be used."
    validation {
      condition     = value == null || can(regex("^[A-Z0-9]{16,128}$", value))
      error_message = "must be the ID of an access key, such as AKIA and 16 more characters"
    }
  }

  config "secret_access_key" {
    type        = string
    default     = null
    sensitive   = true
    aliases     = ["aws_secret_access_key"]
    description = "Secret of the access key."
  }

  config "session_token" {
    type        = string
    default     = null
    sensitive   = true
    aliases     = ["aws_session_token"]
    description = "Session token of a temporary access key."
  }

  config "assume_role" {
    type        = string
    default     = null
    aliases     = ["assume_role_arn"]
    description = "Role that stephost itself takes on for its calls, after it has logged in. Renewed by itself during long runs."
    validation {
      condition     = value == null || can(regex("^arn:aws[a-z-]*:iam::[0-9]{12}:role/.+$", value))
      error_message = "must be the ARN of an IAM role"
    }
  }

  config "endpoint_url" {
    type        = string
    default     = null
    description = "Address for all AWS services, for an emulator. Default: AWS_ENDPOINT_URL, else Amazon's."
    validation {
      condition     = value == null || can(regex("^https?://", value))
      error_message = "must begin with https:// or http://"
    }
  }

  config "endpoints" {
    type        = map(string)
    default     = {}
    description = "Addresses of single services, for private endpoints: sagemaker, logs, s3, sts, ecr, iam, servicequotas."
    validation {
      condition     = alltrue([for name, url in value : contains(["sagemaker", "logs", "s3", "sts", "ecr", "iam", "servicequotas"], name) && can(regex("^https?://", url))])
      error_message = "takes the names sagemaker, logs, s3, sts, ecr, iam and servicequotas, with addresses that begin with https:// or http://"
    }
  }

  config "max_calls_per_minute" {
    type        = number
    default     = 300
    min         = 6
    max         = 100000
    description = "Most calls per minute about the state of jobs that one stephost process makes in an account and region, however many runs it follows. Quotas count per account."
  }

  config "log_settle" {
    type        = string
    default     = "10s"
    description = "How long CloudWatch must have no new line of an ended job before its log counts as whole: lines arrive some seconds late."
    validation {
      condition     = can(regex("^([0-9]+(h|m|s|ms))+$", value))
      error_message = "must be a duration such as \"10s\""
    }
  }

  setting "instance_type" {
    type        = string
    default     = null
    description = "Instance type such as ml.g5.xlarge. Default: the smallest that gives the step's resources, else ml.m5.large."
    validation {
      condition     = value == null || can(regex("^ml\\.[a-z0-9-]+\\.(medium|large|[0-9]*xlarge|metal)$", value))
      error_message = "must be an instance type of SageMaker, such as ml.m5.xlarge"
    }
    validation {
      condition     = value == null || can(regex("^ml\\.(m5|c5|r5|m6i|c6i|r6i|m7i|c7i|r7i|m8i|c8i|r8i|c5n|r5d|m7i-flex|c7i-flex|m8i-flex|c8i-flex|r8i-flex|m4|c4|t3|g4dn|g5|g6|g6e|g7|g7e|p3|p3dn|p4d|p4de|p5|p5e|p5en|p6-b200|p6-b300|p2|trn1|trn1n|trn2)\\.", value))
      error_message = "the family of ${value} is none that SageMaker had for training in 2026-11${join("", [for i, f in [for f in ["m5", "c5", "r5", "m6i", "c6i", "r6i", "m7i", "c7i", "r7i", "m8i", "c8i", "r8i", "c5n", "r5d", "m7i-flex", "c7i-flex", "m8i-flex", "c8i-flex", "r8i-flex", "m4", "c4", "t3", "g4dn", "g5", "g6", "g6e", "g7", "g7e", "p3", "p3dn", "p4d", "p4de", "p5", "p5e", "p5en", "p6-b200", "p6-b300", "p2", "trn1", "trn1n", "trn2"] : f if substr(f, 0, 1) == substr(value, 3, 1)] : i == 0 ? "; did you mean ml.${f}" : " or ml.${f}"])}"
      severity      = "warning"
    }
  }

  setting "volume_size" {
    type        = number
    default     = 30
    min         = 1
    max         = 16384
    aliases     = ["volume_size_in_gb", "volume_size_gb"]
    description = "Size of the ML storage volume of each node in GB. The step's resources.disk makes it larger. Types with local disks do not use it."
  }

  setting "volume_kms_key" {
    type        = string
    default     = null
    aliases     = ["volume_kms_key_id"]
    description = "KMS key (ID, ARN or alias) for the storage volume."
  }

  setting "output_kms_key" {
    type        = string
    default     = null
    aliases     = ["output_kms_key_id"]
    description = "KMS key (ID, ARN or alias) for what the step leaves in S3."
  }

  setting "output_path" {
    type        = string
    default     = null
    aliases     = ["output_s3_uri", "s3_output_path"]
    description = "S3 URI below which the job's outputs go, in the place of bucket_name and bucket_prefix."
    validation {
      condition     = value == null || can(regex("^s3://[a-z0-9][a-z0-9.-]+", value))
      error_message = "must begin with s3:// and a bucket"
    }
  }

  setting "output_compression" {
    type        = string
    default     = "NONE"
    one_of      = ["NONE", "GZIP"]
    description = "NONE leaves the files of STEPHOST_OUTPUT_DIR in S3 as they are; GZIP makes one model.tar.gz of them."
  }

  setting "use_spot" {
    type        = bool
    default     = false
    aliases     = ["use_spot_instances", "enable_managed_spot_training"]
    description = "Managed spot training. SageMaker starts an interrupted job again by itself; such starts are counted and shown. max_wait is then needed, or a run limit to make it from."
  }

  setting "max_wait" {
    type         = string
    default      = null
    applies_when = settings.use_spot
    description  = "How long a spot job may take with its waiting, such as \"6h\". Default: the run limit and one day."
    validation {
      condition     = value == null || can(regex("^([0-9]+(h|m|s))+$", value))
      error_message = "must be a duration such as \"90m\" or \"6h\""
    }
  }

  setting "max_pending" {
    type        = string
    default     = null
    description = "How long the job may wait for capacity of a training plan (30m to 672h). The step's timeouts.provisioning limits every wait."
    validation {
      condition     = value == null || can(regex("^([0-9]+(h|m|s))+$", value))
      error_message = "must be a duration such as \"12h\""
    }
  }

  setting "subnets" {
    type        = list(string)
    default     = []
    description = "Subnets of the VPC that the job joins."
    validation {
      condition     = alltrue([for s in value : can(regex("^subnet-[0-9a-z]+$", s))])
      error_message = "must be IDs of subnets, such as subnet-0a1b2c3d"
    }
  }

  setting "security_group_ids" {
    type        = list(string)
    default     = []
    aliases     = ["security_groups"]
    description = "Security groups of the job's network interfaces."
    validation {
      condition     = alltrue([for s in value : can(regex("^sg-[0-9a-z]+$", s))])
      error_message = "must be IDs of security groups, such as sg-0a1b2c3d"
    }
  }

  setting "network_isolation" {
    type        = bool
    default     = false
    aliases     = ["enable_network_isolation"]
    description = "No network for the step, but for what the nodes say to each other."
  }

  setting "encrypt_inter_container_traffic" {
    type        = bool
    default     = false
    aliases     = ["enable_inter_container_traffic_encryption"]
    description = "Encrypt what the nodes say to each other."
  }

  setting "keep_alive_period" {
    type        = string
    default     = null
    aliases     = ["keep_alive_period_in_seconds", "warm_pool"]
    description = "Keep the instances for the next job of the same shape (warm pool), at most 6h; they are paid for. A duration such as \"10m\", or seconds."
    validation {
      condition     = value == null || can(regex("^([0-9]+|([0-9]+(h|m|s))+)$", value))
      error_message = "must be a duration such as \"10m\""
    }
  }

  setting "training_plan_arn" {
    type        = string
    default     = null
    aliases     = ["training_plan"]
    description = "Training plan whose reserved capacity the job uses."
    validation {
      condition     = value == null || can(regex("^arn:aws[a-z-]*:sagemaker:.+:training-plan/.+$", value))
      error_message = "must be the ARN of a training plan"
    }
  }

  setting "tags" {
    type        = map(string)
    default     = {}
    merge       = "keys"
    description = "Tags of the job, besides those of stephost (stephost:*), the pipeline's and the step's labels."
    validation {
      condition     = alltrue([for k, v in value : !can(regex("^(aws|stephost):", k))])
      error_message = "must not begin with aws: or stephost:"
    }
  }

  setting "experiment_name" {
    type        = string
    default     = null
    description = "SageMaker experiment that the job is recorded in. It must exist, unless create_experiment is set."
    validation {
      condition     = value == null || can(regex("^[a-zA-Z0-9](-*[a-zA-Z0-9]){0,119}$", value))
      error_message = "must have letters, digits and single hyphens only, at most 120"
    }
  }

  setting "trial_name" {
    type        = string
    default     = null
    description = "Trial of the experiment. Default: SageMaker makes one for the job."
    validation {
      condition     = value == null || can(regex("^[a-zA-Z0-9](-*[a-zA-Z0-9]){0,119}$", value))
      error_message = "must have letters, digits and single hyphens only, at most 120"
    }
  }

  setting "experiment_run_name" {
    type        = string
    default     = null
    aliases     = ["run_display_name"]
    description = "Name of the run within the experiment."
  }

  setting "trial_component_display_name" {
    type        = string
    default     = null
    description = "Name under which the job is shown in the experiment."
  }

  setting "create_experiment" {
    type        = bool
    default     = false
    description = "Make the experiment, and the trial if it is named, when they are missing. Nothing of the kind is made without this."
  }

  setting "input_data_s3_uri" {
    type        = any
    default     = null
    description = "Input data: an S3 URI (channel \"training\"), or a map of channel names to URIs. More is said with input_channels."
    validation {
      condition     = value == null || can(regex("^s3://", value)) || can(alltrue([for k, v in value : length(regex("^s3://", v)) > 0]))
      error_message = "must be a URI that begins with s3://, or a map of channel names to such URIs"
    }
  }

  setting "input_channels" {
    type = map(object({
      s3_uri           = optional(string)
      s3_data_type     = optional(string, "S3Prefix")
      distribution     = optional(string, "FullyReplicated")
      attribute_names  = optional(list(string), [])
      file_system_id   = optional(string)
      file_system_type = optional(string)
      directory_path   = optional(string)
      access_mode      = optional(string, "ro")
      content_type     = optional(string)
      compression      = optional(string)
      record_wrapper   = optional(string)
      input_mode       = optional(string)
      shuffle_seed     = optional(number)
    }))
    default     = {}
    merge       = "keys"
    description = "Input channels by name. Each has s3_uri, or file_system_id, file_system_type (EFS, FSxLustre) and directory_path. The step finds File and FastFile data in /opt/ml/input/data/NAME."
    validation {
      condition     = alltrue([for name, c in value : can(regex("^[A-Za-z0-9.-][A-Za-z0-9._-]{0,63}$", name)) && (c.s3_uri == null) != (c.file_system_id == null)])
      error_message = "each channel has either s3_uri or file_system_id, and a name of letters, digits, \".\", \"_\" and \"-\""
    }
    validation {
      condition     = alltrue([for name, c in value : c.input_mode == null || contains(["File", "Pipe", "FastFile"], coalesce(c.input_mode, "File"))])
      error_message = "input_mode is File, Pipe or FastFile"
    }
  }

  setting "input_mode" {
    type        = string
    default     = "File"
    one_of      = ["File", "FastFile", "Pipe"]
    aliases     = ["training_input_mode"]
    description = "How channels reach the step that say nothing else."
  }

  setting "checkpoint_s3_uri" {
    type        = string
    default     = null
    description = "S3 URI that SageMaker keeps in step with checkpoint_local_path during the job, and fills it from at a restart."
    validation {
      condition     = value == null || can(regex("^s3://", value))
      error_message = "must begin with s3://"
    }
  }

  setting "checkpoint_local_path" {
    type         = string
    default      = null
    applies_when = settings.checkpoint_s3_uri != null
    description  = "Directory of the checkpoints in the container. Default: /opt/ml/checkpoints."
  }

  setting "hyperparameters" {
    type        = map(string)
    default     = {}
    merge       = "keys"
    description = "Hyperparameters, which SageMaker shows and leaves in /opt/ml/input/config/hyperparameters.json. Arguments of the step belong into its command."
  }

  setting "metric_definitions" {
    type        = list(object({ name = string, regex = string }))
    default     = []
    description = "Metrics that SageMaker reads out of the log."
  }

  setting "metrics_time_series" {
    type        = bool
    default     = null
    aliases     = ["enable_sagemaker_metrics"]
    description = "Keep the metrics as time series."
  }

  setting "profiler" {
    type        = bool
    default     = null
    description = "System monitoring of SageMaker Debugger, on or off. Default: SageMaker's own."
  }

  setting "remote_debug" {
    type        = bool
    default     = false
    aliases     = ["enable_remote_debug"]
    description = "Let the container be entered through AWS Systems Manager."
  }

  setting "infra_check" {
    type        = bool
    default     = false
    aliases     = ["enable_infra_check"]
    description = "Check the instances before the step starts."
  }

  setting "session_tag_chaining" {
    type        = bool
    default     = false
    aliases     = ["enable_session_tag_chaining"]
    description = "Hand the session's tags on to the job's role."
  }

  setting "tensorboard_s3_uri" {
    type        = string
    default     = null
    description = "S3 URI for the TensorBoard data of /opt/ml/output/tensorboard."
    validation {
      condition     = value == null || can(regex("^s3://", value))
      error_message = "must begin with s3://"
    }
  }

  setting "repository_access" {
    type        = string
    default     = null
    one_of      = ["Platform", "Vpc"]
    aliases     = ["training_repository_access_mode"]
    description = "Vpc: the image lies in a private registry that is reached through the job's subnets. Default (Platform): in Amazon ECR."
  }

  setting "repository_credentials_provider_arn" {
    type         = string
    default      = null
    applies_when = settings.repository_access == "Vpc"
    description  = "Lambda function that gives SageMaker the credentials of the private registry."
    validation {
      condition     = value == null || can(regex("^arn:aws[a-z-]*:lambda:.+$", value))
      error_message = "must be the ARN of a Lambda function"
    }
  }

  setting "request_extra" {
    type        = any
    default     = null
    description = "Further members of CreateTrainingJob under their API names, such as { DebugHookConfig = {...} }. Those that stephost sets itself are refused."
  }

  setting "estimator_args" {
    type        = any
    default     = null
    description = "Not taken: each argument has a setting of its own (instance_type, volume_size, use_spot, max_wait, subnets, security_group_ids, volume_kms_key, output_kms_key, checkpoint_s3_uri, metric_definitions, hyperparameters, keep_alive_period, ...). max_run is timeouts.run, instance_count is resources.nodes, max_retry_attempts is the step's retry block, environment is the step's env; the rest goes into request_extra."
    validation {
      condition     = value == null
      error_message = "each argument has a setting of its own: max_run is the step's timeouts.run, instance_count its resources.nodes, max_retry_attempts its retry block, environment its env; see `stephost flavor describe sagemaker`, and request_extra for the rest"
    }
  }

  rule {
    condition     = given.access_key_id == given.secret_access_key
    error_message = "access_key_id and secret_access_key are given together or not at all"
    paths         = ["config.access_key_id", "config.secret_access_key"]
  }
  rule {
    condition     = !given.session_token || given.access_key_id
    error_message = "session_token goes with access_key_id and secret_access_key"
    paths         = ["config.session_token"]
  }
  rule {
    condition     = !given.profile || !given.access_key_id
    error_message = "profile and access_key_id are two logins: give one of them"
    paths         = ["config.profile", "config.access_key_id"]
  }
  rule {
    condition     = (length(settings.subnets) == 0) == (length(settings.security_group_ids) == 0)
    error_message = "subnets and security_group_ids are given together or not at all"
    paths         = ["settings.subnets", "settings.security_group_ids"]
  }
  rule {
    condition     = settings.repository_access != "Vpc" || length(settings.subnets) > 0
    error_message = "a private registry is reached through the job's VPC: give subnets and security_group_ids"
    paths         = ["settings.repository_access"]
  }
  rule {
    condition     = settings.experiment_name != null || (settings.trial_name == null && settings.experiment_run_name == null && settings.trial_component_display_name == null)
    error_message = "needs experiment_name"
    paths         = ["settings.trial_name", "settings.experiment_run_name", "settings.trial_component_display_name"]
  }
  rule {
    condition     = !settings.use_spot || settings.checkpoint_s3_uri != null
    error_message = "a spot job that is interrupted starts again from nothing unless checkpoint_s3_uri is given"
    severity      = "warning"
    paths         = ["settings.use_spot"]
  }
  rule {
    condition     = !settings.use_spot || settings.keep_alive_period == null
    error_message = "SageMaker has no warm pools for spot instances"
    paths         = ["settings.use_spot", "settings.keep_alive_period"]
  }

  prerequisites = <<-EOT
    An AWS login that the AWS SDKs find (environment, `aws configure`, `aws sso login`, an instance or container role), or `profile`, or an access key; an S3 bucket; a role that SageMaker may assume;
    an image repository in Amazon ECR, which `stephost` makes when it may. Quotas for training instances are 0 in new accounts: ask for "ml.m5.large for training job usage" in the console of Service Quotas.

    CloudWatch keeps text: stdout and stderr of a node come as one stream (shown as stdout), a long line comes in pieces (an event has at most 1 MB; where SageMaker cuts is not told), bytes that are no UTF-8 are replaced, and whether the last line had a newline is not known.

    Not verified on the real service, only on a fake: the texts by which a missing job, a job that is over and an existing experiment are told (another text shows as an error, never as a verdict); that a restarted spot job gets new log streams, ordered by the number in their name; that a line which arrives late is not given by a later page (the end of a log is read twice for that); how FailureReason quotes the failure file.

    Experience with other frameworks carries over: `bucket`, `role`, `instance_type`, `experiment_name` and `input_data_s3_uri` mean the same. `environment` is the step's `env`, `tags` are `tags`, and what went into `estimator_args` has settings of its own.
  EOT
  permissions   = <<-EOT
    Whoever launches needs:
    ```json
    {"Version": "2012-10-17", "Statement": [
      {"Effect": "Allow", "Resource": "*", "Action": ["sagemaker:ListTrainingJobs", "sagemaker:Search", "logs:DescribeLogStreams", "logs:GetLogEvents", "ecr:GetAuthorizationToken"]},
      {"Effect": "Allow", "Resource": "arn:aws:sagemaker:*:*:training-job/stephost-*", "Action": ["sagemaker:CreateTrainingJob", "sagemaker:DescribeTrainingJob", "sagemaker:StopTrainingJob", "sagemaker:AddTags", "sagemaker:ListTags"]},
      {"Effect": "Allow", "Resource": "arn:aws:iam::*:role/ROLE", "Action": ["iam:PassRole"], "Condition": {"StringEquals": {"iam:PassedToService": "sagemaker.amazonaws.com"}}},
      {"Effect": "Allow", "Resource": ["arn:aws:s3:::BUCKET", "arn:aws:s3:::BUCKET/stephost/*"], "Action": ["s3:ListBucket", "s3:GetObject"]},
      {"Effect": "Allow", "Resource": "arn:aws:ecr:*:*:repository/REPOSITORY", "Action": ["ecr:BatchCheckLayerAvailability", "ecr:BatchGetImage", "ecr:GetDownloadUrlForLayer", "ecr:InitiateLayerUpload", "ecr:UploadLayerPart", "ecr:CompleteLayerUpload", "ecr:PutImage"]}
    ]}
    ```
    Optional: `ecr:CreateRepository` (repositories are made), `sagemaker:CreateExperiment`, `sagemaker:CreateTrial` (with `create_experiment`), `iam:GetRole` and `servicequotas:ListServiceQuotas` (`stephost doctor` then looks at the role's trust and at the quota).
    The job's role needs `s3:PutObject`, `s3:GetObject`, `s3:ListBucket` on the bucket, `logs:CreateLogGroup`, `logs:CreateLogStream`, `logs:PutLogEvents`, `logs:DescribeLogStreams`, and the reading ECR actions above; the managed policy AmazonSageMakerFullAccess has them.
    Readers of a training job (`sagemaker:DescribeTrainingJob`) see its environment: secrets are refused unless the step says `allow_visible_secrets = true`.
  EOT
}
