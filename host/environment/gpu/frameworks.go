package gpu

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/stephost/stephost/host/environment/requirements"
)

// local is the part of a version behind "+": "cu121", "cpu", "rocm6.2".
func local(p requirements.Package) string {
	_, l, _ := strings.Cut(p.Version, "+")
	return strings.ToLower(l)
}

func title(p requirements.Package) string { return p.Name + " " + p.Version }

// torch: builds are told apart by the local part of their version. Those on the
// public index carry none: for x86-64 they need CUDA as wheels, for other
// machines they were CPU-only for years (PyTorch, "Get started").
func (c *check) torch() {
	p, ok := c.have["torch"]
	if !ok {
		return
	}
	l := local(p)
	wheels, bundled := c.wheels()
	switch {
	case strings.HasPrefix(l, "cpu"):
		c.warn(title(p)+" is a CPU-only build", torchFix(c.Image.Platform))
	case strings.HasPrefix(l, "rocm"):
		if c.card.name != "" && !c.amd() {
			c.warn(title(p)+" is built for AMD GPUs, and the step asks for "+c.card.name, torchFix(c.Image.Platform))
		}
		c.users++
	case strings.HasPrefix(l, "cu"):
		c.users++
		c.uses = append(c.uses, use{title(p), cuTag(l)})
	case bundled:
		c.users++
		c.uses = append(c.uses, use{title(p), wheels})
	case p.Wheel != "":
		c.warn(title(p)+" comes without CUDA: none of the nvidia-* packages that bring it is there", torchFix(c.Image.Platform))
	case c.base.none():
		c.warn(title(p)+" of the base image is probably a CPU-only build: the base has no CUDA, and no nvidia-* package", "choose a base image with a CUDA build of torch, or require torch")
	default:
		c.users++
		c.uses = append(c.uses, use{"the base image", c.base})
	}
	for _, name := range []string{"torchvision", "torchaudio"} {
		other, ok := c.have[name]
		if ol := local(other); ok && ol != l && (l != "" && ol != "" || strings.HasPrefix(l, "cpu") || strings.HasPrefix(ol, "cpu")) {
			c.warn(fmt.Sprintf("%s and %s are not of one build", title(p), title(other)), "take both from the same index, with the same part behind +")
		}
	}
}

func torchFix(platform string) string {
	if strings.HasPrefix(platform, "linux/amd64") || platform == "" {
		return "take it from the public index or one for CUDA, not from one for cpu (--index-url ending in /cu126, or the like)"
	}
	return "take it from an index for CUDA (--index-url ending in /cu126, or the like): for " + platform + " the public one has CPU-only builds of many versions"
}

// tensorflowCUDA is the major version of CUDA that a release is built for; the
// libraries must be of it. (TensorFlow, "Tested build configurations".)
func tensorflowCUDA(v version) version {
	switch {
	case v.less(version{2, 1}):
		return version{10, 0}
	case v.less(version{2, 5}):
		return version{10, 1}
	case v.less(version{2, 15}):
		return version{11, 2}
	}
	return version{12, 2}
}

func (c *check) tensorflow() {
	if p, ok := c.have["tensorflow-cpu"]; ok {
		c.warn(title(p)+" is a CPU-only build", "require tensorflow[and-cuda]")
		return
	}
	p, ok := c.have["tensorflow"]
	if !ok {
		if p, ok = c.have["tensorflow-gpu"]; !ok {
			return
		}
	}
	need := tensorflowCUDA(parse(p.Version))
	wheels, bundled := c.wheels()
	switch {
	case bundled:
		c.users++
		c.uses = append(c.uses, use{title(p), wheels})
		if wheels.major != need.major {
			c.warn(fmt.Sprintf("%s needs CUDA %d, and the nvidia-* packages are of CUDA %s", title(p), need.major, wheels), "require tensorflow[and-cuda], which brings the right ones")
		}
	case c.base.none():
		c.warn(title(p)+" finds no CUDA: the base has none, and no nvidia-* package brings it", "require tensorflow[and-cuda], or choose a base image with CUDA and cuDNN")
	case c.base.major != need.major:
		c.warn(fmt.Sprintf("%s needs CUDA %d, and the base has CUDA %s", title(p), need.major, c.base), fmt.Sprintf("require tensorflow[and-cuda], or choose a base image with CUDA %d", need.major))
	case !hasCUDNN(c.Image):
		c.warn(title(p)+" needs cuDNN, and the base has CUDA without it", "require tensorflow[and-cuda], or choose the cudnn variant of the base image")
	default:
		c.users++
		c.uses = append(c.uses, use{"the base image", c.base})
	}
}

// jax: CUDA is a plugin beside jaxlib; before 0.4.26 it was a local part of
// jaxlib's version. (JAX, "Installation".)
func (c *check) jax() {
	p, ok := c.have["jaxlib"]
	if !ok {
		if p, ok = c.have["jax"]; !ok {
			return
		}
	}
	if l := local(p); strings.HasPrefix(l, "cuda") {
		c.users++
		c.uses = append(c.uses, use{title(p), version{major: atoi(leadingDigits(l[len("cuda"):], 2))}})
		return
	}
	for _, plugin := range []string{"jax-cuda13-plugin", "jax-cuda12-plugin", "jax-rocm7-plugin", "jax-rocm60-plugin"} {
		if q, ok := c.have[plugin]; ok {
			c.users++
			if wheels, bundled := c.wheels(); bundled && strings.Contains(plugin, "cuda") {
				c.uses = append(c.uses, use{title(q), wheels})
			} else if strings.Contains(plugin, "cuda") && c.base.none() {
				c.warn(title(q)+" finds no CUDA: the base has none, and no nvidia-* package brings it", "require jax[cuda12] or jax[cuda13], not their -local forms")
			}
			return
		}
	}
	c.warn(title(p)+" is CPU-only: its CUDA plugin is not there", "require jax[cuda12] or jax[cuda13]")
}

// cpuTwins are packages whose GPU build has another name.
func (c *check) cpuTwins() {
	for _, t := range []struct{ cpu, gpu string }{
		{"onnxruntime", "onnxruntime-gpu"}, {"faiss-cpu", "faiss-gpu-cu12"}, {"paddlepaddle", "paddlepaddle-gpu"},
		{"mxnet", "mxnet-cu112"}, {"dgl", "dgl for CUDA, from its own index"}, {"nvidia-dali-cpu", "nvidia-dali-cuda120"},
	} {
		p, ok := c.have[t.cpu]
		if _, both := c.have[t.gpu]; !ok || both || strings.HasPrefix(local(p), "cu") {
			continue
		}
		c.warn(title(p)+" is a CPU-only build", "require "+t.gpu)
	}
	for _, name := range []string{"onnxruntime-gpu", "faiss-gpu-cu12", "faiss-gpu", "paddlepaddle-gpu", "xgboost", "lightgbm", "catboost", "cudf-cu12", "numba", "triton", "vllm"} {
		if _, ok := c.have[name]; ok {
			c.users++
		}
	}
}

// cupy names its major version of CUDA, and takes the libraries from wheels or
// from the base.
func (c *check) cupy() {
	for _, name := range slices.Sorted(maps.Keys(c.have)) {
		p := c.have[name]
		tag, ok := strings.CutPrefix(name, "cupy-cuda")
		if !ok {
			continue
		}
		c.users++
		need := atoi(leadingDigits(tag, 2))
		wheels, bundled := c.wheels()
		switch {
		case bundled && wheels.major == need, !c.base.none() && c.base.major == need:
			c.uses = append(c.uses, use{title(p), version{major: need}})
		case bundled || !c.base.none():
			found := c.base
			if bundled {
				found = wheels
			}
			c.warn(fmt.Sprintf("%s needs CUDA %d, and the image has CUDA %s", title(p), need, found), fmt.Sprintf("require cupy-cuda%dx", found.major))
		default:
			c.warn(title(p)+" finds no CUDA: the base has none, and no nvidia-* package brings it", fmt.Sprintf("choose a base image with CUDA %d, or require cupy-cuda%dx[ctk]", need, need))
		}
	}
}
