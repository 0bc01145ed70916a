package kube

import (
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"time"

	authorizationv1 "k8s.io/api/authorization/v1"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/runtime/serializer"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
)

// Rates of calls of one process to one cluster. client-go's own, 5 a second,
// would make 200 launches take two minutes; the server's priority and fairness
// protects it from more.
const (
	callsPerSecond = 100
	callsAtOnce    = 200
)

// protobuf is the API server's compact form of its own kinds.
const protobuf = "application/vnd.kubernetes.protobuf"

// Place says which namespace of which cluster, as the operator's config does.
type Place struct {
	Kubeconfig, Context, Namespace string
	InCluster                      bool
	RequestTimeout                 time.Duration
}

// Cluster is one namespace of one cluster.
type Cluster struct {
	// Host is the API server's address, Namespace the namespace.
	Host, Namespace string

	core, batch, authz rest.Interface
	params             runtime.ParameterCodec
	timeout            time.Duration
	http               *http.Client
	runtimes           runtimes
}

// ConfigError says that what a person wrote about the cluster cannot be used:
// no such file or context. Nothing was sent.
type ConfigError struct{ Err error }

func (e *ConfigError) Error() string { return e.Err.Error() }

// Unwrap returns the cause.
func (e *ConfigError) Unwrap() error { return e.Err }

// Fingerprint changes when another cluster or other credentials may be meant:
// with the place itself, with KUBECONFIG, and with each file of it.
func (p Place) Fingerprint() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%q %q %q %v %s", p.Kubeconfig, p.Context, p.Namespace, p.InCluster, p.RequestTimeout)
	for _, file := range p.files() {
		fmt.Fprintf(&b, " %q", file)
		if info, err := os.Stat(file); err == nil {
			fmt.Fprintf(&b, " %d %d", info.Size(), info.ModTime().UnixNano())
		}
	}
	return b.String()
}

func (p Place) files() []string {
	switch {
	case p.InCluster:
		return nil
	case p.Kubeconfig != "":
		return []string{p.Kubeconfig}
	}
	return clientcmd.NewDefaultClientConfigLoadingRules().Precedence
}

// Open reads the kubeconfig and makes the clients. It sends nothing.
func Open(p Place) (*Cluster, error) {
	config, namespace, err := p.load()
	if err != nil {
		return nil, &ConfigError{Err: err}
	}
	config.QPS, config.Burst = callsPerSecond, callsAtOnce
	config.UserAgent = "stephost"
	config.ContentType = protobuf
	config.AcceptContentTypes = protobuf + ",application/json"
	scheme := runtime.NewScheme()
	for _, add := range []func(*runtime.Scheme) error{batchv1.AddToScheme, corev1.AddToScheme, authorizationv1.AddToScheme} {
		if err := add(scheme); err != nil {
			return nil, err
		}
	}
	metav1.AddToGroupVersion(scheme, schema.GroupVersion{Version: "v1"})
	config.NegotiatedSerializer = serializer.NewCodecFactory(scheme).WithoutConversion()
	client, err := rest.HTTPClientFor(config)
	if err != nil {
		return nil, &ConfigError{Err: err}
	}
	c := &Cluster{Host: config.Host, Namespace: namespace, params: runtime.NewParameterCodec(scheme), timeout: p.RequestTimeout, http: client}
	for _, group := range []struct {
		into *rest.Interface
		path string
		gv   schema.GroupVersion
	}{
		{&c.core, "/api", corev1.SchemeGroupVersion},
		{&c.batch, "/apis", batchv1.SchemeGroupVersion},
		{&c.authz, "/apis", authorizationv1.SchemeGroupVersion},
	} {
		one := *config
		one.GroupVersion, one.APIPath = &group.gv, group.path
		if *group.into, err = rest.RESTClientForConfigAndClient(&one, client); err != nil {
			return nil, &ConfigError{Err: err}
		}
	}
	return c, nil
}

// Close ends idle connections.
func (c *Cluster) Close() { c.http.CloseIdleConnections() }

func (p Place) load() (*rest.Config, string, error) {
	if p.InCluster {
		config, err := rest.InClusterConfig()
		if err != nil {
			return nil, "", fmt.Errorf("in_cluster: %w", err)
		}
		return config, orDefault(p.Namespace, ownNamespace()), nil
	}
	rules := clientcmd.NewDefaultClientConfigLoadingRules()
	// A missing KUBECONFIG file is skipped by the library with a line on stderr.
	rules.WarnIfAllMissing = false
	if p.Kubeconfig != "" {
		if !filepath.IsAbs(p.Kubeconfig) {
			return nil, "", fmt.Errorf("%s is no absolute path", p.Kubeconfig)
		}
		rules.ExplicitPath = p.Kubeconfig
	}
	loader := clientcmd.NewNonInteractiveDeferredLoadingClientConfig(rules, &clientcmd.ConfigOverrides{CurrentContext: p.Context})
	config, err := loader.ClientConfig()
	if err != nil {
		if clientcmd.IsEmptyConfig(err) || errors.Is(err, rest.ErrNotInCluster) {
			return nil, "", fmt.Errorf("there is no kubeconfig (%s), and this is no pod of a cluster", strings.Join(p.files(), ", "))
		}
		return nil, "", err
	}
	if p.Namespace != "" {
		return config, p.Namespace, nil
	}
	namespace, _, err := loader.Namespace()
	return config, orDefault(namespace, "default"), err
}

// ownNamespace is that of the pod that this process runs in.
// https://kubernetes.io/docs/tasks/run-application/access-api-from-pod/
func ownNamespace() string {
	data, err := os.ReadFile("/var/run/secrets/kubernetes.io/serviceaccount/namespace")
	if err != nil {
		return "default"
	}
	return orDefault(strings.TrimSpace(string(data)), "default")
}

func orDefault(s, other string) string {
	if s != "" {
		return s
	}
	return other
}
