package main

import (
	_ "embed"
	"encoding/json"
	"fmt"
	"maps"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"

	"github.com/stephost/stephost/plugins/kubernetes/job"
	"github.com/stephost/stephost/pluginsdk"
)

// What runs inside of the driver's pod and the executors': kube_home.sh finds Spark
// and Java for both, kube_allowed.py asks what the driver's service account may do.
//
//go:embed kube_home.sh
var homeScript string

//go:embed kube_driver.sh
var driverScript string

//go:embed kube_executor.sh
var executorScript string

//go:embed kube_allowed.py
var allowedProgram string

// driverPatience is the driver's longest wait for one answer of the API server.
const driverPatience = 2 * time.Minute

// driverInPod is where kube_driver.sh writes driver.py.
const driverInPod = "/tmp/stephost-spark/driver.py"

// driverRequest makes the Job of a driver. It asks nobody.
func driverRequest(c Config, of job.Config, s *pluginsdk.Step) (job.Request, error) {
	var set Settings
	if err := s.DecodeSettings(&set); err != nil {
		return job.Request{}, err
	}
	if err := pluginsdk.CheckTexts(s); err != nil {
		return job.Request{}, err
	}
	b := &built{}
	var err error
	if b.amounts, err = amountsOf(b, c, s.Resources, set); err != nil {
		return job.Request{}, err
	}
	if b.app, err = applicationOf(s.Argv, "", false); err != nil {
		return job.Request{}, err
	}
	if set.MainClass != "" && b.app.jar == "" {
		return job.Request{}, pluginsdk.Config("settings.main_class", "the command is no jar, and only a jar has a main class")
	}
	if b.amounts.driverContainer, err = driverContainer(set, b.app.jar == ""); err != nil {
		return job.Request{}, err
	}
	b.properties = properties(b, c, s, set, b.amounts)
	if c.onLoopback() {
		b.note("master %s -> the address that every pod has for its API server: a loopback address is this machine's own", c.Master)
	}
	driver := *s
	driver.Argv = append([]string{"sh", "-c", homeScript + driverScript, "stephost-spark"}, driverArguments(b, s, set)...)
	driver.Env = maps.Clone(s.Env)
	if driver.Env == nil {
		driver.Env = map[string]string{}
	}
	maps.Copy(driver.Env, c.homes())
	driver.Env["STEPHOST_SPARK_API"] = c.apiServer()
	driver.Env["STEPHOST_SPARK_PROGRAM"] = string(driverProgram)
	driver.Env["STEPHOST_SPARK_ALLOWED"] = allowedProgram
	driver.Resources = pluginsdk.Resources{CPUMillis: int64(math.Round(set.DriverCores * 1000)), MemoryBytes: b.amounts.driverContainer, GPU: set.DriverGPUs}
	if b.app.jar == "" {
		text, _ := json.Marshal(shown(b.app.argv))
		b.note("the command, which is encoded in the last argument: %s", text)
	}
	return job.Request{Config: of, Settings: set.jobs(c), Step: &driver, Notes: b.notes,
		Shape: func(j *batchv1.Job) error { return shape(c, set, s, j) }}, nil
}

// shown are arguments as a person knows them: the first one of a Python script is
// found in the pod.
func shown(argv []string) []string {
	if argv[0] != "" {
		return argv
	}
	return append([]string{"python"}, argv[1:]...)
}

// homes are the variables of what the config names, for driver and executors.
func (c Config) homes() map[string]string {
	out := map[string]string{}
	if c.SparkHome != "" {
		out["SPARK_HOME"] = c.SparkHome
	}
	if c.JavaHome != "" {
		out["JAVA_HOME"] = c.JavaHome
	}
	return out
}

// driverArguments are those of spark-submit, but for what only the pod knows.
func driverArguments(b *built, s *pluginsdk.Step, set Settings) []string {
	argv := append([]string{"--deploy-mode", "client", "--name", appName(s)}, options(b, set, "", set.PyFiles, set.Archives)...)
	if b.app.jar != "" {
		return append(append(argv, b.app.jar), b.app.argv...)
	}
	return append(argv, driverInPod, encoded{Argv: b.app.argv}.String())
}

// kubeProperties are those of Kubernetes alone. own are a person's, which win over
// what is only a default here.
func kubeProperties(c Config, s *pluginsdk.Step, set Settings, a amounts, own map[string]string, python bool) map[string]string {
	p := map[string]string{
		"spark.kubernetes.container.image":                    s.Environment.Image.Reference,
		"spark.kubernetes.executor.podNamePrefix":             jobPrefix + "-" + s.Key,
		"spark.kubernetes.executor.podTemplateContainerName":  executorContainer,
		"spark.kubernetes.driver.service.deleteOnTermination": "false", // there is none
		"spark.kubernetes.driver.ownPersistentVolumeClaim":    "false",
		"spark.kubernetes.driver.reusePersistentVolumeClaim":  "false",
		"spark.kubernetes.executor.disableConfigMap":          "true", // the image has what SPARK_CONF_DIR has
	}
	// Spark gives an API server that is busy ten seconds, and then the driver up.
	for _, name := range []string{"spark.kubernetes.driver.requestTimeout", "spark.kubernetes.driver.connectionTimeout"} {
		p[name] = strconv.FormatInt(driverPatience.Milliseconds(), 10)
	}
	if set.GracePeriod > 0 {
		// Spark 4.1 overrides what the template has.
		p["spark.kubernetes.executor.terminationGracePeriodSeconds"] = fmt.Sprintf("%ds", set.GracePeriod)
	}
	if set.ImagePullPolicy != "" {
		p["spark.kubernetes.container.image.pullPolicy"] = set.ImagePullPolicy
	}
	if python {
		// As Spark itself counts for Python in cluster mode (KubernetesClientUtils,
		// NON_JVM_MEMORY_OVERHEAD_FACTOR): Python's memory is none of Java's.
		p["spark.kubernetes.memoryOverheadFactor"] = strconv.FormatFloat(pythonOverhead, 'g', -1, 64)
	}
	if a.executorMillis > 0 {
		p["spark.kubernetes.executor.request.cores"] = fmt.Sprintf("%dm", a.executorMillis)
		p["spark.kubernetes.executor.limit.cores"] = fmt.Sprintf("%dm", a.executorMillis)
	}
	vendor, _, _ := strings.Cut(c.GPUResource, "/")
	if s.Resources.GPU > 0 {
		p["spark.executor.resource.gpu.vendor"] = vendor
	}
	if set.DriverGPUs > 0 {
		p["spark.driver.resource.gpu.vendor"] = vendor
	}
	if len(set.Packages) > 0 {
		p["spark.jars.ivy"] = "/tmp/.ivy2" // a restricted user has no home
	}
	for name := range own {
		delete(p, name)
	}
	return p
}

// shape adds what only the pod can tell, and the executors' pods.
func shape(c Config, set Settings, s *pluginsdk.Step, j *batchv1.Job) error {
	spec := &j.Spec.Template.Spec
	if set.PodSecurity == "restricted" {
		named(&j.Spec.Template)
	}
	template, err := json.Marshal(executorPod(c, set, s.Key, &j.Spec.Template))
	if err != nil {
		return err
	}
	container := step(spec)
	container.Env = append(container.Env, corev1.EnvVar{Name: "STEPHOST_SPARK_EXECUTOR", Value: job.Escape(string(template))})
	for _, field := range []struct{ name, path string }{
		{"STEPHOST_POD_IP", "status.podIP"}, {"STEPHOST_POD_NAME", "metadata.name"}, {"STEPHOST_POD_NAMESPACE", "metadata.namespace"},
	} {
		container.Env = append(container.Env, corev1.EnvVar{Name: field.name,
			ValueFrom: &corev1.EnvVarSource{FieldRef: &corev1.ObjectFieldSelector{APIVersion: "v1", FieldPath: field.path}}})
	}
	return nil
}

func step(spec *corev1.PodSpec) *corev1.Container {
	i := slices.IndexFunc(spec.Containers, func(c corev1.Container) bool { return c.Name == job.Container })
	return &spec.Containers[i]
}

// Names of what gives a restricted pod's user a name.
const (
	notePasswd   = "stephost.dev/passwd"
	passwdVolume = "stephost-passwd"
)

// named gives the user of a restricted pod a name: Hadoop's login fails for a user
// that the image does not know (UserGroupInformation, "invalid null input: name"),
// which is why Spark's own images write into /etc/passwd when they start. Nobody may
// write there in a restricted pod; so the file is an annotation, mounted.
func named(t *corev1.PodTemplateSpec) {
	if t.Annotations == nil {
		t.Annotations = map[string]string{}
	}
	t.Annotations[notePasswd] = fmt.Sprintf("root:x:0:0:root:/root:/bin/sh\nspark:x:%d:%d::/tmp:/bin/sh\n", job.RestrictedUser, job.RestrictedUser)
	t.Spec.Volumes = append(t.Spec.Volumes, corev1.Volume{Name: passwdVolume, VolumeSource: corev1.VolumeSource{
		DownwardAPI: &corev1.DownwardAPIVolumeSource{Items: []corev1.DownwardAPIVolumeFile{{Path: "passwd",
			FieldRef: &corev1.ObjectFieldSelector{APIVersion: "v1", FieldPath: "metadata.annotations['" + notePasswd + "']"}}}}}})
	c := step(&t.Spec)
	c.VolumeMounts = append(c.VolumeMounts, corev1.VolumeMount{Name: passwdVolume, MountPath: "/etc/passwd", SubPath: "passwd", ReadOnly: true})
}

// executorContainer is the name of an executor's container, labelExecutorOf that of
// the key of its driver's Job.
const (
	executorContainer = "executor"
	labelExecutorOf   = "stephost.dev/executor-of"
)

// executorPod is the template of an executor's pod: the driver's, as far as a person
// wrote it, without its command, its environment, its resources and its token. Spark
// adds the image, resources and its own variables, and "executor" as the argument
// (BasicExecutorFeatureStep).
func executorPod(c Config, set Settings, key string, driver *corev1.PodTemplateSpec) *corev1.Pod {
	t := driver.DeepCopy()
	p := &corev1.Pod{ObjectMeta: t.ObjectMeta, Spec: t.Spec}
	p.APIVersion, p.Kind = "v1", "Pod"
	p.Labels = maps.Clone(set.PodLabels)
	if p.Labels == nil {
		p.Labels = map[string]string{}
	}
	p.Labels[labelExecutorOf] = key
	p.Spec.ActiveDeadlineSeconds, p.Spec.RestartPolicy = nil, ""
	p.Spec.AutomountServiceAccountToken = new(bool)
	container := step(&p.Spec)
	container.Name, container.Image, container.Resources = executorContainer, "", corev1.ResourceRequirements{}
	container.Command = []string{"sh", "-c", job.Escape(homeScript + executorScript), "stephost-spark"}
	container.Env = nil
	homes := c.homes()
	if set.PodSecurity == "restricted" {
		homes["HOME"] = "/tmp"
	}
	for _, name := range slices.Sorted(maps.Keys(homes)) {
		container.Env = append(container.Env, corev1.EnvVar{Name: name, Value: job.Escape(homes[name])})
	}
	return p
}
