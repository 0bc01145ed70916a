package gpu

import (
	"fmt"
	"strconv"
	"strings"
)

// version is one of CUDA.
type version struct{ major, minor int }

func (v version) none() bool { return v == version{} }

func (v version) less(o version) bool {
	return v.major < o.major || v.major == o.major && v.minor < o.minor
}

func (v version) String() string { return fmt.Sprintf("%d.%d", v.major, v.minor) }

func parse(text string) version {
	parts := strings.Split(text, ".")
	v := version{major: atoi(leadingDigits(parts[0], 3))}
	if len(parts) > 1 {
		v.minor = atoi(leadingDigits(parts[1], 3))
	}
	return v
}

// cuTag reads "cu121" as 12.1 and "cu92" as 9.2; NVIDIA's own builds end in
// other words, which give none.
func cuTag(tag string) version {
	digits := leadingDigits(strings.TrimPrefix(tag, "cu"), 4)
	if len(digits) < 2 {
		return version{}
	}
	return version{atoi(digits[:len(digits)-1]), atoi(digits[len(digits)-1:])}
}

func leadingDigits(s string, most int) string {
	n := 0
	for n < len(s) && n < most && s[n] >= '0' && s[n] <= '9' {
		n++
	}
	return s[:n]
}

func atoi(s string) int { n, _ := strconv.Atoi(s); return n }

// baseCUDA is the CUDA that the config of an image tells of: NVIDIA's images and
// those made of them set CUDA_VERSION. (NVIDIA's cuda images, their Dockerfiles.)
func baseCUDA(i Image) version {
	for _, name := range []string{"CUDA_VERSION", "NV_CUDA_CUDART_VERSION"} {
		if v := parse(i.Env[name]); !v.none() {
			return v
		}
	}
	return version{}
}

// hasCUDNN: NVIDIA's images say so in one of these. (Their Dockerfiles.)
func hasCUDNN(i Image) bool {
	return i.Env["NV_CUDNN_VERSION"] != "" || i.Env["CUDNN_VERSION"] != "" || i.Labels["com.nvidia.cudnn.version"] != ""
}

// card is what a type of GPU needs.
type card struct {
	name string
	amd  bool
	// since is the first CUDA that knows it; until the first that no longer does.
	since, until version
}

// cards by the first words of a gpu_type, in the host's spelling. since: the
// release notes of CUDA that first name the compute capability (7.0: 9.0; 7.5:
// 10.0; 8.0: 11.0; 8.6: 11.1; 8.9 and 9.0: 11.8; 10.0 and 12.0: 12.8; 10.3:
// 12.9). until: CUDA 13.0 removed Maxwell, Pascal and Volta, 12.0 Kepler (release
// notes, "Deprecated or Dropped Features"). A type that is not here is not
// checked.
func cards() []card {
	return []card{
		{name: "k80", since: version{6, 5}, until: version{12, 0}},
		{name: "p4", since: version{8, 0}, until: version{13, 0}},
		{name: "p100", since: version{8, 0}, until: version{13, 0}},
		{name: "v100", since: version{9, 0}, until: version{13, 0}},
		{name: "t4", since: version{10, 0}},
		{name: "a100", since: version{11, 0}},
		{name: "a30", since: version{11, 0}},
		{name: "a10g", since: version{11, 1}},
		{name: "a10", since: version{11, 1}},
		{name: "a16", since: version{11, 1}},
		{name: "a40", since: version{11, 1}},
		{name: "rtx-a6000", since: version{11, 1}},
		{name: "l40s", since: version{11, 8}},
		{name: "l40", since: version{11, 8}},
		{name: "l4", since: version{11, 8}},
		{name: "rtx-4090", since: version{11, 8}},
		{name: "h100", since: version{11, 8}},
		{name: "h200", since: version{11, 8}},
		{name: "gh200", since: version{11, 8}},
		{name: "b200", since: version{12, 8}},
		{name: "gb200", since: version{12, 8}},
		{name: "rtx-5090", since: version{12, 8}},
		{name: "rtx-pro-6000", since: version{12, 8}},
		{name: "b300", since: version{12, 9}},
		{name: "gb300", since: version{12, 9}},
		{name: "mi", amd: true},
	}
}

func cardOf(gpuType string) card {
	for _, c := range cards() {
		rest, ok := strings.CutPrefix(gpuType, c.name)
		if ok && (rest == "" || rest[0] == '-' || c.amd) {
			c.name = gpuType
			return c
		}
	}
	return card{}
}
