package main

import (
	"maps"
	"slices"
	"strconv"

	"github.com/stephost/stephost/pluginsdk"
)

// packedPart bounds one variable where names that Modal does not take are packed
// into others: far below what a process takes (128 KiB on Linux).
const packedPart = 32 << 10

// Variables that every step gets.
const (
	envRun       = "STEPHOST_RUN"
	envAttempt   = "STEPHOST_ATTEMPT"
	envOutputURI = "STEPHOST_OUTPUT_URI"
	envOutputDir = "STEPHOST_OUTPUT_DIR"
)

// variables are those of the step and stephost's own. The older backend takes
// variables from secrets alone, so that all are in the run's secret there; on the
// newer one only the secret ones are.
func (b *built) variables(c Config, s *pluginsdk.Step) error {
	plain, secret := map[string]string{}, map[string]string{}
	maps.Copy(plain, s.Env)
	for name, value := range s.Secrets {
		delete(plain, name)
		secret[name] = value.Reveal()
	}
	plain[envRun], plain[envAttempt] = s.RunID, strconv.Itoa(s.Attempt)
	if c.OutputVolume != "" {
		plain[envOutputURI] = outputURI(c.OutputVolume, s.Key)
		dir := outputMount + "/" + s.Key
		if pluginsdk.HasShim(s) {
			plain[pluginsdk.ShimOutputDir] = dir
		} else {
			plain[envOutputDir] = dir
			b.notes = append(b.notes, "the image has no init process of stephost's: the step makes the directory "+dir+" itself")
		}
	}
	if err := pack(s, plain, secret); err != nil {
		return err
	}
	if !b.newer {
		maps.Copy(plain, secret)
		b.secret = plain
		return nil
	}
	b.env, b.secret = plain, secret
	return nil
}

// pack takes variables out whose names Modal refuses, and puts them back in the
// form that the shim reads.
func pack(s *pluginsdk.Step, plain, secret map[string]string) error {
	odd, hidden := map[string]string{}, false
	for _, from := range []map[string]string{plain, secret} {
		for _, name := range slices.Sorted(maps.Keys(from)) {
			if variable(name) {
				continue
			}
			if !pluginsdk.HasShim(s) {
				return pluginsdk.Config("env."+name, "Modal takes variables whose name has letters, digits and \"_\" and begins with no digit, and %q does not; in an image that stephost builds (base_image) it can be had", name)
			}
			odd[name] = from[name]
			_, isSecret := secret[name]
			hidden = hidden || isSecret
			delete(from, name)
		}
	}
	if len(odd) == 0 {
		return nil
	}
	parts, _, err := pluginsdk.SplitEnv(odd, packedPart, slices.Sorted(maps.Keys(odd))...)
	if err != nil {
		return err
	}
	into := plain
	if hidden {
		into = secret // the parts of a secret are as secret as its value
	}
	maps.Copy(into, parts)
	return nil
}

// variable tells whether Modal takes the name (the SDK's validateEnvVarName).
func variable(name string) bool {
	for i, r := range name {
		if r != '_' && (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') && (i == 0 || r < '0' || r > '9') {
			return false
		}
	}
	return name != ""
}
