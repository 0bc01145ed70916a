package main

import (
	"bytes"
	"encoding/json"
	"maps"
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	api "github.com/aws/aws-sdk-go-v2/service/sagemaker"
	"github.com/aws/aws-sdk-go-v2/service/sagemaker/types"

	"github.com/stephost/stephost/pluginsdk"
)

// maxChannels is InputDataConfig of the API description.
const maxChannels = 20

// defaultChannel is the name that SageMaker's own tools give to the channel of a
// single URI.
const defaultChannel = "training"

// channels sets the input channels, sorted by name.
func (b *built) channels(place, *pluginsdk.Step) error {
	set := b.settings
	all, err := simpleChannels(set.InputDataS3URI)
	if err != nil {
		return err
	}
	for name, c := range set.InputChannels {
		if _, twice := all[name]; twice {
			return pluginsdk.Config("settings.input_channels."+name, "the channel stands in input_data_s3_uri too")
		}
		all[name] = c
	}
	if len(all) > maxChannels {
		return pluginsdk.Config("settings.input_channels", "there are %d channels, SageMaker takes %d", len(all), maxChannels)
	}
	for _, name := range slices.Sorted(maps.Keys(all)) {
		c := all[name]
		one := types.Channel{
			ChannelName: aws.String(name), ContentType: text(c.ContentType), CompressionType: types.CompressionType(c.Compression),
			RecordWrapperType: types.RecordWrapper(c.RecordWrapper), InputMode: types.TrainingInputMode(c.InputMode), DataSource: &types.DataSource{},
		}
		if c.ShuffleSeed != nil {
			one.ShuffleConfig = &types.ShuffleConfig{Seed: aws.Int64(*c.ShuffleSeed)}
		}
		if c.S3URI != "" {
			one.DataSource.S3DataSource = &types.S3DataSource{
				S3Uri: aws.String(c.S3URI), S3DataType: types.S3DataType(c.S3DataType),
				S3DataDistributionType: types.S3DataDistribution(c.Distribution), AttributeNames: c.AttributeNames,
			}
		} else {
			if c.FileSystemType == "" || c.DirectoryPath == "" {
				return pluginsdk.Config("settings.input_channels."+name, "a file system needs file_system_type (EFS or FSxLustre) and directory_path")
			}
			if b.input.VpcConfig == nil {
				return pluginsdk.Config("settings.input_channels."+name, "a file system is reached through the job's VPC: give subnets and security_group_ids")
			}
			one.DataSource.FileSystemDataSource = &types.FileSystemDataSource{
				FileSystemId: aws.String(c.FileSystemID), FileSystemType: types.FileSystemType(c.FileSystemType),
				DirectoryPath: aws.String(c.DirectoryPath), FileSystemAccessMode: types.FileSystemAccessMode(c.AccessMode),
			}
		}
		b.input.InputDataConfig = append(b.input.InputDataConfig, one)
	}
	return nil
}

// simpleChannels reads input_data_s3_uri: one URI, or a map of them.
func simpleChannels(raw json.RawMessage) (map[string]Channel, error) {
	all := map[string]Channel{}
	if raw == nil {
		return all, nil
	}
	uris := map[string]string{}
	var one string
	if json.Unmarshal(raw, &one) == nil {
		uris[defaultChannel] = one
	} else if err := json.Unmarshal(raw, &uris); err != nil {
		return nil, pluginsdk.Config("settings.input_data_s3_uri", "must be a URI, or a map of channel names to URIs")
	}
	for name, uri := range uris {
		if !strings.HasPrefix(uri, "s3://") {
			return nil, pluginsdk.Config("settings.input_data_s3_uri", "%q does not begin with s3://", uri)
		}
		all[name] = Channel{S3URI: uri, S3DataType: string(types.S3DataTypeS3Prefix), Distribution: string(types.S3DataDistributionFullyReplicated)}
	}
	return all, nil
}

// extras sets what most jobs do without.
func (b *built) extras(place, *pluginsdk.Step) error {
	set := b.settings
	if set.CheckpointS3URI != "" {
		b.input.CheckpointConfig = &types.CheckpointConfig{S3Uri: aws.String(set.CheckpointS3URI), LocalPath: text(set.CheckpointLocalPath)}
	}
	if set.TensorBoardS3URI != "" {
		b.input.TensorBoardOutputConfig = &types.TensorBoardOutputConfig{S3OutputPath: aws.String(set.TensorBoardS3URI)}
	}
	if set.Profiler != nil {
		b.input.ProfilerConfig = &types.ProfilerConfig{DisableProfiler: aws.Bool(!*set.Profiler)}
	}
	if set.RemoteDebug {
		b.input.RemoteDebugConfig = &types.RemoteDebugConfig{EnableRemoteDebug: aws.Bool(true)}
	}
	if set.InfraCheck {
		b.input.InfraCheckConfig = &types.InfraCheckConfig{EnableInfraCheck: aws.Bool(true)}
	}
	if set.SessionTagChaining {
		b.input.SessionChainingConfig = &types.SessionChainingConfig{EnableSessionTagChaining: aws.Bool(true)}
	}
	return nil
}

// passed are the members of CreateTrainingJob that request_extra may set: those
// that no setting stands for. RetryStrategy is none of them: a job that SageMaker
// submits again by itself would count against no budget of the run.
func passed() []string {
	return []string{"DebugHookConfig", "DebugRuleConfigurations", "MlflowConfig", "ModelPackageConfig", "ProfilerRuleConfigurations"}
}

// more takes request_extra.
func (b *built) more(place, *pluginsdk.Step) error {
	raw := b.settings.RequestExtra
	if raw == nil {
		return nil
	}
	const path = "settings.request_extra"
	var members map[string]json.RawMessage
	if err := json.Unmarshal(raw, &members); err != nil {
		return pluginsdk.Config(path, "must be an object with members of CreateTrainingJob")
	}
	for _, name := range slices.Sorted(maps.Keys(members)) {
		if !slices.Contains(passed(), name) {
			return pluginsdk.Config(path+"."+name, "%q cannot be set here: it takes %s; the rest has a setting, or is what stephost sets itself", name, strings.Join(passed(), ", "))
		}
	}
	d := json.NewDecoder(bytes.NewReader(raw))
	d.DisallowUnknownFields()
	var extra api.CreateTrainingJobInput
	if err := d.Decode(&extra); err != nil {
		return pluginsdk.Config(path, "is not as CreateTrainingJob has it: %w", err)
	}
	b.input.DebugHookConfig, b.input.DebugRuleConfigurations = extra.DebugHookConfig, extra.DebugRuleConfigurations
	b.input.MlflowConfig, b.input.ModelPackageConfig = extra.MlflowConfig, extra.ModelPackageConfig
	b.input.ProfilerRuleConfigurations = extra.ProfilerRuleConfigurations
	return nil
}
