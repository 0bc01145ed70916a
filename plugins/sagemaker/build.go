package main

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	api "github.com/aws/aws-sdk-go-v2/service/sagemaker"
	"github.com/aws/aws-sdk-go-v2/service/sagemaker/types"

	"github.com/stephost/stephost/pluginsdk"
)

const (
	// longestRun is for a step without a limit: SageMaker wants one, and refuses
	// more than the account's quota "Longest run time for a training job", which
	// is 5 days unless it was raised
	// (https://docs.aws.amazon.com/general/latest/gr/sagemaker.html).
	longestRun = 5 * 24 * time.Hour
	// spotWait is what a spot job may wait beside its run limit.
	spotWait = 24 * time.Hour
	// maxKeepAlive is KeepAlivePeriodInSeconds of the API description.
	maxKeepAlive = 6 * time.Hour
	// maxImage is AlgorithmImage of the API description.
	maxImage = 255
	// maxNodes is a bound of this flavor: quotas are below it.
	maxNodes = 1000
	// gigabyte is the unit of VolumeSizeInGB.
	gigabyte = int64(1) << 30
)

// Places in a training container
// (https://docs.aws.amazon.com/sagemaker/latest/dg/amazon-sagemaker-toolkits.html).
const (
	modelDir    = "/opt/ml/model"
	failureFile = "/opt/ml/output/failure"
)

// built is what Submit sends and Plan shows.
type built struct {
	input *api.CreateTrainingJobInput
	// secret are the names in the environment that hold a secret or a part of one.
	secret map[string]bool
	notes  []string
	// warnings are for the person who launches.
	warnings []error
	settings Settings
}

func (b *built) note(format string, args ...any) {
	b.notes = append(b.notes, fmt.Sprintf(format, args...))
}

// build makes the request of a step. It asks nobody. Errors are what a person
// wrote (class config) and mean that nothing exists.
func build(c Config, p place, s *pluginsdk.Step) (*built, error) {
	b := &built{secret: map[string]bool{}}
	if err := s.DecodeSettings(&b.settings); err != nil {
		return nil, err
	}
	set := b.settings
	if set.EstimatorArgs != nil {
		return nil, pluginsdk.Config("settings.estimator_args", "each argument has a setting of its own")
	}
	name := jobName(s.Key)
	if s.Key == "" {
		name = pluginsdk.KnownAtLaunch(namePrefix + "KEY")
	}
	labels, err := tags(s, set.Tags)
	if err != nil {
		return nil, err
	}
	b.input = &api.CreateTrainingJobInput{
		TrainingJobName: aws.String(name), RoleArn: aws.String(p.role(c)), Tags: labels,
		OutputDataConfig: &types.OutputDataConfig{
			S3OutputPath: aws.String(p.output(c, set)), KmsKeyId: text(set.OutputKMSKey),
			CompressionType: types.OutputCompressionType(set.OutputCompression),
		},
		HyperParameters: set.Hyperparameters,
	}
	for _, part := range []func(*built, place, *pluginsdk.Step) error{
		(*built).algorithm, (*built).environment, (*built).resources, (*built).limits, (*built).network,
		(*built).experiment, (*built).channels, (*built).extras, (*built).more,
	} {
		if err := part(b, p, s); err != nil {
			return nil, err
		}
	}
	return b, nil
}

// algorithm sets the image, and what of it is not the environment's.
func (b *built) algorithm(p place, s *pluginsdk.Step) error {
	set := b.settings
	image := pluginsdk.KnownAtLaunch("the image that is built")
	if s.Environment.Image != nil && s.Environment.Image.Reference != "" {
		image = s.Environment.Image.Reference
		if err := b.checkImage(p, image); err != nil {
			return err
		}
	}
	a := &types.AlgorithmSpecification{
		TrainingImage: aws.String(image), TrainingInputMode: types.TrainingInputMode(set.InputMode),
		EnableSageMakerMetricsTimeSeries: set.MetricsTimeSeries,
	}
	for i, m := range set.MetricDefinitions {
		if m.Name == "" || m.Regex == "" || len(m.Name) > 255 || len(m.Regex) > 500 {
			return pluginsdk.Config(fmt.Sprintf("settings.metric_definitions.%d", i), "name has 1 to 255 characters and regex 1 to 500")
		}
		a.MetricDefinitions = append(a.MetricDefinitions, types.MetricDefinition{Name: aws.String(m.Name), Regex: aws.String(m.Regex)})
	}
	if set.RepositoryAccess != "" {
		a.TrainingImageConfig = &types.TrainingImageConfig{TrainingRepositoryAccessMode: types.TrainingRepositoryAccessMode(set.RepositoryAccess)}
		if set.RepositoryCredentials != "" {
			a.TrainingImageConfig.TrainingRepositoryAuthConfig = &types.TrainingRepositoryAuthConfig{
				TrainingRepositoryCredentialsProviderArn: aws.String(set.RepositoryCredentials)}
		}
	}
	b.input.AlgorithmSpecification = a
	return nil
}

// checkImage refuses an image that SageMaker cannot pull: it takes private ECR
// repositories, and other registries through the job's VPC only
// (https://docs.aws.amazon.com/sagemaker/latest/dg/docker-containers-adapt-your-own-private-registry.html).
func (b *built) checkImage(p place, image string) error {
	if len(image) > maxImage {
		return pluginsdk.Config("environment.image", "the image reference has %d characters, SageMaker takes %d", len(image), maxImage)
	}
	if b.settings.RepositoryAccess == string(types.TrainingRepositoryAccessModeVpc) {
		return nil
	}
	host, _, _ := strings.Cut(image, "/")
	registry, ok := ecrHost(host)
	if !ok {
		return pluginsdk.Config("environment.registry",
			"SageMaker cannot pull from %s: it takes private repositories of Amazon ECR (ACCOUNT.dkr.ecr.REGION.amazonaws.com/NAME), and other private registries with repository_access = \"Vpc\"", host)
	}
	if p.known() && registry.region != p.region {
		return pluginsdk.Config("environment.registry", "the image lies in %s, the job runs in %s: SageMaker pulls from ECR of its own region", registry.region, p.region)
	}
	return nil
}

// resources sets instances and volumes.
func (b *built) resources(_ place, s *pluginsdk.Step) error {
	set, r := b.settings, s.Resources
	count := max(1, r.Nodes)
	if count > maxNodes {
		return pluginsdk.Config("resources.nodes", "%d nodes are more than SageMaker has for one job", count)
	}
	name := set.InstanceType
	if name == "" {
		choice, err := machines().Choose(r)
		if err != nil {
			return err
		}
		name = choice.Name
		b.notes = append(b.notes, choice.Notes...)
	} else {
		if _, err := machines().Check(name, r); err != nil {
			return err
		}
		if err := machines().Known(name); err != nil {
			b.warnings = append(b.warnings, err)
			if r.CPUMillis > 0 || r.MemoryBytes > 0 || r.GPU > 0 || r.GPUType != "" {
				b.note("%s is not in the table of %s: cpu, memory and gpu of the step are not compared with it", name, machines().Date)
			}
		}
	}
	volume := int64(set.VolumeSize)
	if disk := (r.DiskBytes + gigabyte - 1) / gigabyte; disk > volume {
		volume = disk
		b.note("disk %d bytes -> a volume of %d GB", r.DiskBytes, disk)
	}
	keep, err := keepAlive(set.KeepAlivePeriod)
	if err != nil {
		return err
	}
	b.input.ResourceConfig = &types.ResourceConfig{
		InstanceType: types.TrainingInstanceType(name), InstanceCount: aws.Int32(int32(count)),
		VolumeSizeInGB: aws.Int32(int32(volume)), VolumeKmsKeyId: text(set.VolumeKMSKey),
		KeepAlivePeriodInSeconds: keep, TrainingPlanArn: text(set.TrainingPlanARN),
	}
	if count > 1 {
		if err := pluginsdk.RequireShim(s, "nodes > 1"); err != nil && s.Environment.Image != nil {
			return err
		}
		b.note("nodes %d -> STEPHOST_RANK, STEPHOST_WORLD_SIZE and those of torchrun are set in each node", count)
	}
	return nil
}

// keepAlive reads a duration, or seconds as the API has them.
func keepAlive(given string) (*int32, error) {
	if given == "" {
		return nil, nil
	}
	d, err := time.ParseDuration(given)
	if err != nil {
		d, err = time.ParseDuration(given + "s")
	}
	if err != nil || d < 0 || d > maxKeepAlive {
		return nil, pluginsdk.Config("settings.keep_alive_period", "%q must be a duration of at most %s", given, maxKeepAlive)
	}
	return aws.Int32(seconds(d)), nil
}

// limits sets the limits of time. They are a backstop: the host keeps them too.
func (b *built) limits(_ place, s *pluginsdk.Step) error {
	set := b.settings
	run := s.Deadlines.Run
	if run <= 0 {
		run = longestRun
		b.note("no run limit -> MaxRuntimeInSeconds %d, the most that accounts have unless it was raised", seconds(run))
	}
	stop := &types.StoppingCondition{MaxRuntimeInSeconds: aws.Int32(seconds(run))}
	if set.UseSpot {
		wait := set.MaxWait
		if wait == 0 {
			wait = run + spotWait
			b.note("use_spot without max_wait -> MaxWaitTimeInSeconds %d", seconds(wait))
		}
		if wait < run {
			return pluginsdk.Config("settings.max_wait", "max_wait (%s) includes the run itself and cannot be shorter than its limit (%s)", wait, run)
		}
		stop.MaxWaitTimeInSeconds = aws.Int32(seconds(wait))
		b.input.EnableManagedSpotTraining = aws.Bool(true)
	}
	if set.MaxPending > 0 {
		const least, most = 30 * time.Minute, 28 * 24 * time.Hour // MaxPendingTimeInSeconds of the API description
		if set.MaxPending < least || set.MaxPending > most {
			return pluginsdk.Config("settings.max_pending", "%s is not between %s and %s", set.MaxPending, least, most)
		}
		stop.MaxPendingTimeInSeconds = aws.Int32(seconds(set.MaxPending))
	}
	b.input.StoppingCondition = stop
	return nil
}

// network sets VPC and isolation.
func (b *built) network(place, *pluginsdk.Step) error {
	set := b.settings
	if len(set.Subnets) > 0 || len(set.SecurityGroupIDs) > 0 {
		b.input.VpcConfig = &types.VpcConfig{Subnets: slices.Clone(set.Subnets), SecurityGroupIds: slices.Clone(set.SecurityGroupIDs)}
	}
	b.input.EnableNetworkIsolation = yes(set.NetworkIsolation)
	b.input.EnableInterContainerTrafficEncryption = yes(set.EncryptTraffic)
	return nil
}

// experiment sets where the job is recorded; nothing is, unless asked for.
func (b *built) experiment(place, *pluginsdk.Step) error {
	set := b.settings
	if set.ExperimentName == "" {
		return nil
	}
	b.input.ExperimentConfig = &types.ExperimentConfig{
		ExperimentName: aws.String(set.ExperimentName), TrialName: text(set.TrialName),
		RunName: text(set.ExperimentRunName), TrialComponentDisplayName: text(set.TrialComponentName),
	}
	if set.CreateExperiment {
		b.note("experiment %s is made when it is missing", set.ExperimentName)
	}
	return nil
}

func text(s string) *string {
	if s == "" {
		return nil
	}
	return aws.String(s)
}

func yes(b bool) *bool {
	if !b {
		return nil
	}
	return aws.Bool(true)
}

// seconds rounds up: a limit is never shorter than what was asked for.
func seconds(d time.Duration) int32 {
	const most = 1<<31 - 1
	return int32(min(most, (int64(d)+int64(time.Second)-1)/int64(time.Second)))
}
