package gpu

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"go.uber.org/goleak"

	"github.com/stephost/stephost/host/environment/requirements"
	"github.com/stephost/stephost/host/project"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// packages reads "name==version"; "!" in front: of the base.
func packages(list ...string) []requirements.Package {
	var out []requirements.Package
	for _, text := range list {
		base := strings.HasPrefix(text, "!")
		name, version, _ := strings.Cut(strings.TrimPrefix(text, "!"), "==")
		p := requirements.Package{Name: name, Version: version, Wheel: "w"}
		if base {
			p.Wheel = ""
		}
		out = append(out, p)
	}
	return out
}

func TestCheck(t *testing.T) {
	slim := Image{Ref: "slim", Platform: "linux/amd64"}
	cuda := func(v string, more ...string) Image {
		i := Image{Ref: "cuda", Platform: "linux/amd64", Env: map[string]string{"CUDA_VERSION": v}}
		for _, kv := range more {
			k, v, _ := strings.Cut(kv, "=")
			i.Env[k] = v
		}
		return i
	}
	arm := Image{Ref: "arm", Platform: "linux/arm64"}
	for _, tc := range []struct {
		name  string
		image Image
		have  []requirements.Package
		card  string
		want  []string // a part of each warning
		fix   string   // a part of the first fix
	}{
		{"torch with its wheels on slim", slim, packages("torch==2.9.1", "nvidia-cuda-runtime-cu12==12.8.90"), "a10g", nil, ""},
		{"torch for CUDA from its own index", slim, packages("torch==2.5.1+cu121", "torchvision==0.20.1+cu121"), "h100", nil, ""},
		{"torch for the CPU", slim, packages("torch==2.5.1+cpu"), "", []string{"torch 2.5.1+cpu is a CPU-only build"}, "not from one for cpu"},
		{"torch for the CPU on a base with CUDA", cuda("12.4.1"), packages("torch==2.5.1+cpu", "torchvision==0.20.1+cpu"), "t4", []string{"CPU-only build"}, "index"},
		{"two builds", slim, packages("torch==2.5.1+cu121", "torchvision==0.20.1+cpu"), "", []string{"not of one build"}, "same index"},
		{"torch for arm64 from the public index", arm, packages("torch==2.5.1"), "gh200", []string{"comes without CUDA"}, "linux/arm64"},
		{"torch of a base with CUDA", cuda("12.4.1"), packages("!torch==2.5.1"), "t4", nil, ""},
		{"torch of a base without CUDA", slim, packages("!torch==2.5.1"), "t4", []string{"probably a CPU-only build"}, "base image"},
		{"the layer's torch hides the base's", cuda("12.4.1"), packages("!torch==2.1.0+cu121", "torch==2.5.1+cpu"), "t4", []string{"torch 2.5.1+cpu"}, ""},
		{"NVIDIA's own torch", cuda("12.6.3"), packages("!torch==2.6.0a0+df5bbc09d1.nv24.12"), "h100", nil, ""},
		{"torch for ROCm on NVIDIA", slim, packages("torch==2.5.1+rocm6.2"), "t4", []string{"built for AMD"}, ""},
		{"torch for ROCm on AMD", slim, packages("torch==2.5.1+rocm6.2"), "mi300x", nil, ""},
		{"CUDA on AMD", slim, packages("torch==2.5.1+cu121"), "mi300x", []string{"AMD GPU"}, "ROCm"},
		{"too old for the card", slim, packages("torch==1.13.1+cu117"), "h100", []string{"is for CUDA 11.7, and h100 needs CUDA 11.8 or newer"}, "11.8"},
		{"too old for Blackwell", slim, packages("torch==2.6.0", "nvidia-cuda-runtime-cu12==12.4.127"), "b200", []string{"needs CUDA 12.8"}, ""},
		{"too new for the card", slim, packages("torch==2.9.1", "nvidia-cuda-runtime==13.0.96"), "v100-32gb", []string{"no longer runs on v100-32gb"}, "older than 13.0"},
		{"a base too old for the card", cuda("11.0.3"), packages("numpy==1.26"), "l4", []string{"the base image is for CUDA 11.0"}, ""},
		{"a card that is not known", slim, packages("torch==1.13.1+cu117"), "z900", nil, ""},
		{"nothing uses it", slim, packages("numpy==1.26", "scikit-learn==1.5.2"), "t4", []string{"nothing in the image uses one"}, "torch"},
		{"a base with CUDA alone", cuda("12.4.1"), packages("numpy==1.26"), "t4", nil, ""},
		{"tensorflow without CUDA", slim, packages("tensorflow==2.18.0"), "t4", []string{"tensorflow 2.18.0 finds no CUDA"}, "tensorflow[and-cuda]"},
		{"tensorflow with it", slim, packages("tensorflow==2.18.0", "nvidia-cuda-runtime-cu12==12.5.82"), "t4", nil, ""},
		{"tensorflow for the CPU", cuda("12.4.1"), packages("tensorflow-cpu==2.18.0"), "t4", []string{"CPU-only"}, "tensorflow[and-cuda]"},
		{"tensorflow on another CUDA", cuda("11.8.0", "NV_CUDNN_VERSION=8.9"), packages("tensorflow==2.18.0"), "t4", []string{"needs CUDA 12, and the base has CUDA 11.8"}, ""},
		{"tensorflow without cuDNN", cuda("12.4.1"), packages("tensorflow==2.18.0"), "t4", []string{"needs cuDNN"}, "cudnn variant"},
		{"tensorflow on a base for it", cuda("12.4.1", "NV_CUDNN_VERSION=9.1"), packages("tensorflow==2.18.0"), "t4", nil, ""},
		{"tensorflow with wrong wheels", slim, packages("tensorflow==2.10.0", "nvidia-cuda-runtime-cu12==12.5.82"), "t4", []string{"needs CUDA 11, and the nvidia-* packages are of CUDA 12.5"}, ""},
		{"jax alone", slim, packages("jax==0.4.35", "jaxlib==0.4.34"), "t4", []string{"jaxlib 0.4.34 is CPU-only"}, "jax[cuda12]"},
		{"jax with its plugin", slim, packages("jax==0.4.35", "jaxlib==0.4.34", "jax-cuda12-plugin==0.4.35", "nvidia-cuda-runtime-cu12==12.6.77"), "t4", nil, ""},
		{"jax with a local CUDA that is not there", slim, packages("jaxlib==0.4.34", "jax-cuda12-plugin==0.4.35"), "t4", []string{"finds no CUDA"}, "-local"},
		{"jax of old", slim, packages("jaxlib==0.4.20+cuda11.cudnn86"), "a100-40gb", nil, ""},
		{"a twin for the CPU", cuda("12.4.1"), packages("onnxruntime==1.20.0", "faiss_cpu==1.9.0"), "t4", []string{"onnxruntime 1.20.0", "faiss-cpu 1.9.0"}, "onnxruntime-gpu"},
		{"its twin is there too", cuda("12.4.1"), packages("onnxruntime==1.20.0", "onnxruntime-gpu==1.20.0"), "t4", nil, ""},
		{"cupy on its CUDA", cuda("12.4.1"), packages("cupy-cuda12x==13.3.0"), "t4", nil, ""},
		{"cupy on another", cuda("12.4.1"), packages("cupy-cuda11x==13.3.0"), "t4", []string{"cupy-cuda11x 13.3.0 needs CUDA 11"}, "cupy-cuda12x"},
		{"cupy on none", slim, packages("cupy-cuda12x==13.3.0"), "t4", []string{"finds no CUDA"}, ""},
		{"hidden", Image{Given: true, Env: map[string]string{"NVIDIA_VISIBLE_DEVICES": "void", "NVIDIA_DRIVER_CAPABILITIES": "video", "CUDA_VERSION": "12.4"}}, nil, "t4",
			[]string{"hides every GPU", "without compute"}, "NVIDIA_VISIBLE_DEVICES"},
		{"hidden, but built", Image{Env: map[string]string{"NVIDIA_VISIBLE_DEVICES": "void", "CUDA_VERSION": "12.4"}}, nil, "t4", nil, ""},
	} {
		t.Run(tc.name, func(t *testing.T) {
			r := Request{Image: tc.image, Packages: tc.have, GPU: 1, Type: tc.card}
			got := Check(r)
			if assert.Len(t, got, len(tc.want), "%v", got) {
				for i, w := range got {
					assert.Contains(t, w.String(), tc.want[i])
					assert.NotEmpty(t, w.Fix)
				}
				if len(got) > 0 {
					assert.Contains(t, got[0].Fix, tc.fix)
				}
			}
			r.GPU = 0
			assert.Empty(t, Check(r), "no GPU is asked for")
		})
	}
}

// TestCards: what the host's table of types has is looked up by its own name.
func TestCards(t *testing.T) {
	unknown := map[string]bool{"t4g": true}
	for _, name := range project.GPUTypes() {
		c := cardOf(name)
		if unknown[name] {
			continue
		}
		assert.Equal(t, name, c.name, "no row for %s", name)
	}
	assert.Equal(t, version{11, 8}, cardOf("l4").since)
	assert.Equal(t, version{11, 1}, cardOf("a10g").since)
	assert.Equal(t, card{}, cardOf("t4g"))
	assert.Equal(t, version{12, 1}, cuTag("cu121"))
	assert.Equal(t, version{9, 2}, cuTag("cu92"))
	assert.Equal(t, version{13, 0}, cuTag("cu130"))
}
