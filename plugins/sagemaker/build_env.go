package main

import (
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/aws/aws-sdk-go-v2/aws"

	"github.com/stephost/stephost/pluginsdk"
)

// Limits of CreateTrainingJob, from the published API description of SageMaker
// (2017-07-24): TrainingEnvironmentMap, TrainingEnvironmentKey and Value,
// TrainingContainerEntrypoint and Arguments.
const (
	maxEnv      = 100
	maxEnvValue = 512
	maxEnvName  = 512
	maxArgs     = 100
	maxArg      = 256
)

// environment sets the step's command and its environment. What the API cannot
// carry (a long value or argument, a line break in an argument, a name with a
// dot, too many of them) travels packed, and the shim unpacks it.
func (b *built) environment(_ place, s *pluginsdk.Step) error {
	if err := pluginsdk.CheckTexts(s); err != nil {
		return err
	}
	shim := pluginsdk.HasShim(s)
	env := map[string]string{}
	maps.Copy(env, s.Env)
	secret := map[string]bool{}
	for name, value := range s.Secrets {
		env[name], secret[name] = value.Reveal(), true // a secret wins over a plain variable of the same name
	}
	if len(secret) > 0 && !s.AllowVisibleSecrets {
		return pluginsdk.Config("secrets", "readers of a training job see its environment: allow_visible_secrets = true accepts that")
	}
	env["STEPHOST_RUN"], env["STEPHOST_ATTEMPT"] = s.RunID, strconv.Itoa(s.Attempt)
	if s.RunID == "" {
		env["STEPHOST_RUN"] = pluginsdk.KnownAtLaunch("the run's ID")
	}
	if !shim {
		env["STEPHOST_OUTPUT_DIR"] = modelDir
	}
	// Where SageMaker puts what lies in that directory at the end; a step may also
	// write there itself.
	env["STEPHOST_OUTPUT_URI"] = aws.ToString(b.input.OutputDataConfig.S3OutputPath) + "/" + aws.ToString(b.input.TrainingJobName) + "/output/model"

	argv, packArgv := pluginsdk.ContainerArgv(s), false
	if why := unfit(argv); why != "" {
		if err := b.needShim(s, why); err != nil {
			return err
		}
		name, value, err := pluginsdk.ArgvEnv(s)
		if err != nil {
			return err
		}
		env[name], packArgv, argv = value, true, []string{pluginsdk.ShimPath}
		b.note("%s -> the arguments travel in the environment, and the image's init process takes them from there", why)
	}
	fit, packed, err := pack(env)
	if err != nil {
		return err
	}
	if packed {
		if err := b.needShim(s, "an environment with values over 512 characters, names with other characters than letters, digits and \"_\", or over 100 variables"); err != nil {
			return err
		}
		b.note("variables that SageMaker cannot carry travel in parts, and the image's init process joins them")
	}
	// A part of a secret is as secret as the whole.
	for name := range fit {
		if secret[name] || packed && len(secret) > 0 && env[name] == "" {
			b.secret[name] = true
		}
	}
	if shim || packArgv || packed {
		fit[pluginsdk.ShimOutputDir], fit[pluginsdk.ShimFailureFile] = modelDir, failureFile
		if s.Resources.Nodes > 1 {
			fit[pluginsdk.ShimRankFrom] = pluginsdk.ShimRankSageMaker
		}
	}
	if len(fit) > maxEnv {
		return pluginsdk.Config("env", "the environment is too large: SageMaker takes %d variables of %d characters", maxEnv, maxEnvValue)
	}
	b.input.Environment = fit
	b.input.AlgorithmSpecification.ContainerEntrypoint = argv[:1]
	if len(argv) > 1 {
		b.input.AlgorithmSpecification.ContainerArguments = argv[1:]
	}
	return nil
}

// needShim refuses what needs the shim. Before the image is built nobody knows
// its reference, but that it will have one.
func (b *built) needShim(s *pluginsdk.Step, what string) error {
	if s.Environment.Image == nil || s.Environment.Image.Reference == "" {
		return nil
	}
	return pluginsdk.RequireShim(s, what)
}

// unfit says why the API cannot carry an argv, or "".
func unfit(argv []string) string {
	if len(argv)-1 > maxArgs {
		return "more than 100 arguments"
	}
	for _, a := range argv {
		switch {
		case utf8.RuneCountInString(a) > maxArg:
			return "an argument over 256 characters"
		case strings.ContainsAny(a, "\n\r\u0085\u2028\u2029"):
			// The API's pattern is ".*", which no line break matches.
			return "an argument with a line break"
		case !utf8.ValidString(a):
			return "an argument that is no text"
		case a == "":
			// The API takes an empty string; whether the container gets it is not
			// documented.
			return "an empty argument"
		}
	}
	return ""
}

// pack makes the environment fit. shimRoom is left for the shim's own variables.
func pack(env map[string]string) (fit map[string]string, packed bool, err error) {
	const shimRoom = 4
	name := regexp.MustCompile(`^[a-zA-Z_][a-zA-Z0-9_]*$`)
	var also []string
	for k, v := range env {
		if !name.MatchString(k) || len(k) > maxEnvName || !utf8.ValidString(v) {
			also = append(also, k)
		}
	}
	if fit, packed, err = pluginsdk.SplitEnv(env, maxEnvValue, also...); err != nil {
		return nil, false, err
	}
	if len(fit) > maxEnv-shimRoom {
		return pluginsdk.SplitEnv(env, maxEnvValue, slices.Collect(maps.Keys(env))...)
	}
	return fit, packed, nil
}
