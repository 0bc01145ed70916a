package main

import (
	"context"
	"encoding/json"
	"errors"
	"maps"
	"slices"
	"strings"

	"github.com/google/go-containerregistry/pkg/authn"
	"github.com/google/go-containerregistry/pkg/name"
	modal "github.com/modal-labs/modal-client/go"
	pb "github.com/modal-labs/modal-client/go/proto/modal_proto"

	"github.com/stephost/stephost/plugins/modal/internal/api"
	"github.com/stephost/stephost/pluginsdk"
)

// things are what a sandbox is made of, by their IDs. Prepare finds or makes
// them, Submit is given them.
type things struct {
	App         string            `json:"app"`
	Environment string            `json:"environment"`
	Image       string            `json:"image"`
	Proxy       string            `json:"proxy,omitempty"`
	Secrets     map[string]string `json:"secrets,omitempty"` // by name
	Volumes     map[string]string `json:"volumes,omitempty"`
}

// needs are the names of what Prepare has to find.
type needs struct {
	secrets map[string]string // name -> path of the setting
	volumes map[string]bool   // name -> make it when it is missing
}

func (set Settings) needs(c Config) needs {
	n := needs{secrets: map[string]string{}, volumes: map[string]bool{}}
	for _, s := range set.Secrets {
		n.secrets[s] = "settings.modal_secrets"
	}
	for path, m := range set.Buckets {
		if m.Secret != "" {
			n.secrets[m.Secret] = "settings.cloud_bucket_mounts." + path + ".secret"
		}
	}
	for _, v := range set.Volumes {
		n.volumes[v.Name] = n.volumes[v.Name] || v.Create
	}
	if c.OutputVolume != "" {
		n.volumes[c.OutputVolume] = true
	}
	return n
}

// unprepared stands for what only Prepare knows, for plans and checks.
func unprepared(c Config, s *pluginsdk.Step) (things, error) {
	var set Settings
	if err := s.DecodeSettings(&set); err != nil {
		return things{}, err
	}
	t := things{
		App: pluginsdk.KnownAtLaunch("the ID of the app " + c.App), Image: pluginsdk.KnownAtLaunch("the ID of the image"),
		Secrets: map[string]string{}, Volumes: map[string]string{},
	}
	n := set.needs(c)
	for name := range n.secrets {
		t.Secrets[name] = pluginsdk.KnownAtLaunch("the ID of the secret " + name)
	}
	for name := range n.volumes {
		t.Volumes[name] = pluginsdk.KnownAtLaunch("the ID of the volume " + name)
	}
	if set.Proxy != "" {
		t.Proxy = pluginsdk.KnownAtLaunch("the ID of the proxy " + set.Proxy)
	}
	return t, nil
}

// Prepare finds or makes the app, looks up what the settings name, and has Modal
// pull the image. All of it is shared, and found again the next time: an image is
// made once for its digest.
func (f *flavor) Prepare(ctx context.Context, c Config, s *pluginsdk.Step, progress func(string)) (pluginsdk.Prepared, error) {
	var set Settings
	if err := s.DecodeSettings(&set); err != nil {
		return pluginsdk.Prepared{}, err
	}
	if s.Environment.Image == nil {
		return pluginsdk.Prepared{}, pluginsdk.Config("environment", "a sandbox of Modal runs an image, and the step has none")
	}
	q, err := f.open(ctx, c)
	if err != nil {
		return pluginsdk.Prepared{}, err
	}
	t, err := q.lookUp(ctx, set, true)
	if err != nil {
		return pluginsdk.Prepared{}, err
	}
	progress("Modal pulls " + s.Environment.Image.Reference)
	if t.Image, err = q.image(ctx, t.App, t.Environment, s.Environment.Image.Reference); err != nil {
		return pluginsdk.Prepared{}, err
	}
	data, err := json.Marshal(t)
	if err != nil {
		return pluginsdk.Prepared{}, err
	}
	resources := []string{"app " + c.App + " (" + t.App + ")", "image " + t.Image}
	for _, name := range slices.Sorted(maps.Keys(t.Volumes)) {
		resources = append(resources, "volume "+name+" ("+t.Volumes[name]+")")
	}
	return pluginsdk.Prepared{Data: data, Resources: resources}, nil
}

// lookUp finds everything but the image. With make = false nothing is made, and
// the app may be missing.
func (q *session) lookUp(ctx context.Context, set Settings, make bool) (things, error) {
	environment, err := q.environment(ctx)
	if err != nil {
		return things{}, err
	}
	t := things{Environment: environment, Secrets: map[string]string{}, Volumes: map[string]string{}}
	if t.App, err = q.appID(ctx, environment, make); err != nil {
		return t, err
	}
	n := set.needs(q.c)
	var found []error
	for _, name := range slices.Sorted(maps.Keys(n.secrets)) {
		id, err := q.secretID(ctx, environment, name)
		if err == nil && id == "" {
			err = pluginsdk.Config(n.secrets[name], "there is no Modal secret %s in the environment %s", name, environment)
		}
		t.Secrets[name], found = id, append(found, err)
	}
	for _, name := range slices.Sorted(maps.Keys(n.volumes)) {
		id, err := q.volumeID(ctx, environment, name, make && n.volumes[name])
		if err == nil && id == "" && !n.volumes[name] {
			err = pluginsdk.Config("settings.volumes", "there is no Modal volume %s in the environment %s; create = true makes it", name, environment)
		}
		t.Volumes[name], found = id, append(found, err)
	}
	if set.Proxy != "" {
		r, err := q.Stub.ProxyGet(ctx, pb.ProxyGetRequest_builder{Name: set.Proxy, EnvironmentName: environment}.Build())
		switch {
		case api.IsNotFound(err) || err == nil && r.GetProxy().GetProxyId() == "":
			err = pluginsdk.Config("settings.proxy", "there is no proxy %s in the environment %s", set.Proxy, environment)
		case err != nil:
			err = q.ask(err)
		}
		t.Proxy, found = r.GetProxy().GetProxyId(), append(found, err)
	}
	return t, errors.Join(found...)
}

// secretID is the ID of a named secret, "" when there is none.
func (q *session) secretID(ctx context.Context, environment, name string) (string, error) {
	r, err := q.Stub.SecretGetOrCreate(ctx, pb.SecretGetOrCreateRequest_builder{DeploymentName: name, EnvironmentName: environment}.Build())
	if api.IsNotFound(err) {
		return "", nil
	}
	return r.GetSecretId(), q.ask(err)
}

// volumeID is the ID of a named volume, "" when there is none.
func (q *session) volumeID(ctx context.Context, environment, name string, create bool) (string, error) {
	how := pb.ObjectCreationType_OBJECT_CREATION_TYPE_UNSPECIFIED
	if create {
		how = pb.ObjectCreationType_OBJECT_CREATION_TYPE_CREATE_IF_MISSING
	}
	r, err := q.Stub.VolumeGetOrCreate(ctx, pb.VolumeGetOrCreateRequest_builder{
		DeploymentName: name, EnvironmentName: environment, ObjectCreationType: how,
	}.Build())
	if api.IsNotFound(err) {
		return "", nil
	}
	return r.GetVolumeId(), q.ask(err)
}

// noEntrypoint keeps the image's own entry point from coming before the step's
// argv: what Modal's Python SDK does for Image.entrypoint([]).
const noEntrypoint = "ENTRYPOINT []"

// image has Modal pull a registry's image and returns the ID of Modal's. A
// digest that is known already is there at once.
func (q *session) image(ctx context.Context, app, environment, reference string) (string, error) {
	secret, err := q.pullSecret(ctx, environment, reference)
	if err != nil {
		return "", err
	}
	var image *modal.Image
	switch {
	case secret == nil:
		image = q.SDK.Images.FromRegistry(reference, nil)
	case q.c.RegistryAuth == "aws":
		image = q.SDK.Images.FromAwsEcr(reference, secret, nil)
	case q.c.RegistryAuth == "gcp":
		image = q.SDK.Images.FromGcpArtifactRegistry(reference, secret, nil)
	default:
		image = q.SDK.Images.FromRegistry(reference, &modal.ImageFromRegistryParams{Secret: secret})
	}
	image, err = image.DockerfileCommands([]string{noEntrypoint}, nil).Build(ctx, &modal.App{AppID: app, Name: q.c.App, Environment: environment}, nil)
	if err != nil {
		return "", q.imageError(reference, err)
	}
	return image.ImageID, nil
}

// imageError gives a failed build its class. The SDK has one error for all ends
// of a build, with these texts (image.go).
func (q *session) imageError(reference string, err error) error {
	var remote modal.RemoteError
	if !errors.As(err, &remote) {
		return q.ask(err)
	}
	if strings.Contains(remote.Exception, "external shut-down") || strings.Contains(remote.Exception, "timed out") {
		return pluginsdk.Unreachable(err)
	}
	return pluginsdk.Config("environment.image", "Modal cannot have the image %s (a private registry needs registry_secret or registry_login): %w", reference, err)
}

// pullSecret is the secret that Modal pulls with; nil = none.
func (q *session) pullSecret(ctx context.Context, environment, reference string) (*modal.Secret, error) {
	switch {
	case q.c.RegistrySecret != "":
		id, err := q.secretID(ctx, environment, q.c.RegistrySecret)
		if err == nil && id == "" {
			err = pluginsdk.Config("config.registry_secret", "there is no Modal secret %s in the environment %s", q.c.RegistrySecret, environment)
		}
		return &modal.Secret{SecretID: id, Name: q.c.RegistrySecret}, err
	case q.c.RegistryLogin:
		user, password, err := registryLogin(reference)
		if err != nil {
			return nil, err
		}
		// The names are those of Modal's documentation
		// (https://modal.com/docs/guide/existing-images). A secret without a name is
		// Modal's to remove.
		return q.SDK.Secrets.FromMap(ctx, map[string]string{"REGISTRY_USERNAME": user, "REGISTRY_PASSWORD": password}, &modal.SecretFromMapParams{Environment: environment})
	}
	return nil, nil
}

// registryLogin is what this machine's Docker configuration has for the image's
// registry.
func registryLogin(reference string) (user, password string, err error) {
	ref, err := name.ParseReference(reference)
	if err != nil {
		return "", "", pluginsdk.Config("environment.image", "%w", err)
	}
	registry := ref.Context().Registry
	login, err := authn.DefaultKeychain.Resolve(registry)
	if err != nil {
		return "", "", pluginsdk.Config("config.registry_login", "the login for %s cannot be read: %w", registry, err)
	}
	c, err := login.Authorization()
	if err != nil {
		return "", "", pluginsdk.Config("config.registry_login", "the login for %s cannot be read: %w", registry, err)
	}
	if c.Username == "" || c.Password == "" {
		return "", "", pluginsdk.Config("config.registry_login", "this machine's Docker configuration has no user name and password for %s: docker login %s, or registry_secret", registry, registry)
	}
	return c.Username, c.Password, nil
}
