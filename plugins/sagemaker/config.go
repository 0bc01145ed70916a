package main

import (
	"encoding/json"
	"time"

	"github.com/stephost/stephost/pluginsdk"
)

// Config is the operator's config; flavor.hcl explains it.
type Config struct {
	Role              string            `stephost:"role"`
	Region            string            `stephost:"region"`
	BucketName        string            `stephost:"bucket_name"`
	BucketPrefix      string            `stephost:"bucket_prefix"`
	Profile           string            `stephost:"profile"`
	AccessKeyID       string            `stephost:"access_key_id"`
	SecretAccessKey   pluginsdk.Secret  `stephost:"secret_access_key"`
	SessionToken      pluginsdk.Secret  `stephost:"session_token"`
	AssumeRole        string            `stephost:"assume_role"`
	EndpointURL       string            `stephost:"endpoint_url"`
	Endpoints         map[string]string `stephost:"endpoints"`
	MaxCallsPerMinute int               `stephost:"max_calls_per_minute"`
	LogSettle         time.Duration     `stephost:"log_settle"`
}

// Settings are the step's settings.
type Settings struct {
	InstanceType          string             `stephost:"instance_type"`
	VolumeSize            int32              `stephost:"volume_size"`
	VolumeKMSKey          string             `stephost:"volume_kms_key"`
	OutputKMSKey          string             `stephost:"output_kms_key"`
	OutputPath            string             `stephost:"output_path"`
	OutputCompression     string             `stephost:"output_compression"`
	UseSpot               bool               `stephost:"use_spot"`
	MaxWait               time.Duration      `stephost:"max_wait"`
	MaxPending            time.Duration      `stephost:"max_pending"`
	Subnets               []string           `stephost:"subnets"`
	SecurityGroupIDs      []string           `stephost:"security_group_ids"`
	NetworkIsolation      bool               `stephost:"network_isolation"`
	EncryptTraffic        bool               `stephost:"encrypt_inter_container_traffic"`
	KeepAlivePeriod       string             `stephost:"keep_alive_period"`
	TrainingPlanARN       string             `stephost:"training_plan_arn"`
	Tags                  map[string]string  `stephost:"tags"`
	ExperimentName        string             `stephost:"experiment_name"`
	TrialName             string             `stephost:"trial_name"`
	ExperimentRunName     string             `stephost:"experiment_run_name"`
	TrialComponentName    string             `stephost:"trial_component_display_name"`
	CreateExperiment      bool               `stephost:"create_experiment"`
	InputDataS3URI        json.RawMessage    `stephost:"input_data_s3_uri"`
	InputChannels         map[string]Channel `stephost:"input_channels"`
	InputMode             string             `stephost:"input_mode"`
	CheckpointS3URI       string             `stephost:"checkpoint_s3_uri"`
	CheckpointLocalPath   string             `stephost:"checkpoint_local_path"`
	Hyperparameters       map[string]string  `stephost:"hyperparameters"`
	MetricDefinitions     []Metric           `stephost:"metric_definitions"`
	MetricsTimeSeries     *bool              `stephost:"metrics_time_series"`
	Profiler              *bool              `stephost:"profiler"`
	RemoteDebug           bool               `stephost:"remote_debug"`
	InfraCheck            bool               `stephost:"infra_check"`
	SessionTagChaining    bool               `stephost:"session_tag_chaining"`
	TensorBoardS3URI      string             `stephost:"tensorboard_s3_uri"`
	RepositoryAccess      string             `stephost:"repository_access"`
	RepositoryCredentials string             `stephost:"repository_credentials_provider_arn"`
	RequestExtra          json.RawMessage    `stephost:"request_extra"`
	EstimatorArgs         json.RawMessage    `stephost:"estimator_args"`
}

// Channel is one input channel.
type Channel struct {
	S3URI          string   `stephost:"s3_uri"`
	S3DataType     string   `stephost:"s3_data_type"`
	Distribution   string   `stephost:"distribution"`
	AttributeNames []string `stephost:"attribute_names"`
	FileSystemID   string   `stephost:"file_system_id"`
	FileSystemType string   `stephost:"file_system_type"`
	DirectoryPath  string   `stephost:"directory_path"`
	AccessMode     string   `stephost:"access_mode"`
	ContentType    string   `stephost:"content_type"`
	Compression    string   `stephost:"compression"`
	RecordWrapper  string   `stephost:"record_wrapper"`
	InputMode      string   `stephost:"input_mode"`
	ShuffleSeed    *int64   `stephost:"shuffle_seed"`
}

// Metric is one metric that SageMaker reads out of the log.
type Metric struct {
	Name  string `stephost:"name"`
	Regex string `stephost:"regex"`
}
