package image

import (
	"encoding/json"
	"fmt"
	"slices"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/types"

	"github.com/stephost/stephost/internal/shim"
	"github.com/stephost/stephost/internal/version"
)

// Labels of a built image: who made it, and of what content. None of them depends
// on a secret.
const (
	labelVersion  = "dev.stephost.version"
	labelBase     = "dev.stephost.base"
	labelContents = "dev.stephost.key." // + kind of layer
)

// composed is an image: its config and its manifest.
type composed struct {
	manifest, config           []byte
	digest, configDigest       string
	configSize                 int64
	mediaType                  types.MediaType
	base                       *base
	layers                     []*built
	sourceInside, pythonInside bool
}

// RawManifest and MediaType make it something that can be put into a registry.
func (c *composed) RawManifest() ([]byte, error)        { return c.manifest, nil }
func (c *composed) MediaType() (types.MediaType, error) { return c.mediaType, nil }

// compose puts the layers on the base. Nothing in it depends on time or place.
func compose(b *base, layers []*built, gpu int64) (*composed, error) {
	c := &composed{base: b, layers: layers}
	cfg := b.config.DeepCopy()
	m := b.manifest.DeepCopy()
	c.mediaType = m.MediaType
	layerType := types.OCILayer
	switch {
	case c.mediaType == types.DockerManifestSchema2:
		layerType = types.DockerLayer
	case c.mediaType == "":
		c.mediaType, m.MediaType = types.OCIManifestSchema1, types.OCIManifestSchema1
	}
	if cfg.Config.Labels == nil {
		cfg.Config.Labels = map[string]string{}
	}
	cfg.Created = v1.Time{Time: epoch()}
	cfg.OS, cfg.Architecture = b.platform.OS, b.platform.Architecture
	cfg.Config.Labels[labelVersion], cfg.Config.Labels[labelBase] = version.Version, b.digest
	for _, l := range layers {
		digest, err := v1.NewHash(l.Digest)
		if err != nil {
			return nil, err
		}
		diff, err := v1.NewHash(l.DiffID)
		if err != nil {
			return nil, err
		}
		m.Layers = append(m.Layers, v1.Descriptor{MediaType: layerType, Size: l.Size, Digest: digest})
		cfg.RootFS.DiffIDs = append(cfg.RootFS.DiffIDs, diff)
		cfg.History = append(cfg.History, v1.History{Created: v1.Time{Time: epoch()}, CreatedBy: "stephost: " + l.kind, Comment: l.key})
		cfg.Config.Labels[labelContents+l.kind] = l.key
		c.sourceInside = c.sourceInside || l.kind == Source
		c.pythonInside = c.pythonInside || l.kind == Requirements
	}
	c.configure(&cfg.Config, gpu)
	var err error
	if c.config, err = json.Marshal(cfg); err != nil {
		return nil, err
	}
	configDigest, size, err := v1.SHA256(bytesReader(c.config))
	if err != nil {
		return nil, err
	}
	c.configDigest, c.configSize = configDigest.String(), size
	m.Config.Digest, m.Config.Size, m.Config.Data, m.Config.Annotations = configDigest, size, nil, nil
	m.Subject, m.Annotations = nil, nil // of the base, not of this image
	if c.manifest, err = json.Marshal(m); err != nil {
		return nil, err
	}
	digest, _, err := v1.SHA256(bytesReader(c.manifest))
	c.digest = digest.String()
	return c, err
}

// configure says how the image starts.
func (c *composed) configure(cfg *v1.Config, gpu int64) {
	// Plugins give the whole argv; this is for a person who runs the image.
	cfg.Entrypoint, cfg.Cmd = []string{shim.Path}, nil
	cfg.Healthcheck, cfg.OnBuild = nil, nil
	if c.sourceInside {
		cfg.WorkingDir = "/" + sourceDir
	}
	if c.pythonInside {
		setEnv(cfg, "PATH", "/"+binDir+":"+pathOf(envOf(cfg.Env)), true)
	}
	if gpu > 0 {
		// The NVIDIA container toolkit gives a container the devices and the driver's
		// libraries only when these are set:
		// https://docs.nvidia.com/datacenter/cloud-native/container-toolkit/latest/docker-specialized.html
		setEnv(cfg, "NVIDIA_VISIBLE_DEVICES", "all", false)
		setEnv(cfg, "NVIDIA_DRIVER_CAPABILITIES", "compute,utility", false)
	}
}

func setEnv(cfg *v1.Config, name, value string, replace bool) {
	at := slices.IndexFunc(cfg.Env, func(kv string) bool { return len(kv) > len(name) && kv[:len(name)+1] == name+"=" })
	switch {
	case at < 0:
		cfg.Env = append(cfg.Env, fmt.Sprintf("%s=%s", name, value))
	case replace:
		cfg.Env[at] = fmt.Sprintf("%s=%s", name, value)
	}
}
