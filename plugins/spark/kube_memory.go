package main

import (
	"regexp"
	"strconv"
	"strings"

	"github.com/stephost/stephost/pluginsdk"
)

// What Spark adds to the memory of Java for a container: a part of it, 384 MiB at
// least ("Running Spark on Kubernetes", spark.kubernetes.memoryOverheadFactor).
const (
	javaOverhead   = 0.1
	pythonOverhead = 0.4
	leastOverhead  = 384 << 20
	// usualMemory is spark.driver.memory.
	usualMemory = 1 << 30
)

// driverContainer is the memory of the driver's container in bytes. In cluster mode
// Spark would count it; here the Job needs it.
func driverContainer(set Settings, python bool) (int64, error) {
	own := set.SubmitKwargs
	java := int64(usualMemory)
	if set.DriverMemory != "" {
		java = amount(set.DriverMemory, 1)
	}
	if text, ok := own["spark.driver.memoryOverhead"]; ok {
		overhead := amount(text, 1<<20)
		if overhead < 0 {
			return 0, pluginsdk.Config("settings.submit_kwargs", "spark.driver.memoryOverhead: %q is no amount such as 512m", text)
		}
		return java + overhead, nil
	}
	factor := javaOverhead
	if python {
		factor = pythonOverhead
	}
	for _, name := range []string{"spark.kubernetes.memoryOverheadFactor", "spark.driver.memoryOverheadFactor"} {
		if text, ok := own[name]; ok {
			f, err := strconv.ParseFloat(text, 64)
			if err != nil || f < 0 {
				return 0, pluginsdk.Config("settings.submit_kwargs", "%s: %q is no factor such as 0.4", name, text)
			}
			factor = f
		}
	}
	return java + max(int64(float64(java)*factor), leastOverhead), nil
}

var sparkAmount = regexp.MustCompile(`^([0-9]+)([kmgt]?)b?$`)

// amount is a size as Spark writes it, in bytes; -1 for none. unit is that of a bare
// number.
func amount(text string, unit int64) int64 {
	m := sparkAmount.FindStringSubmatch(strings.ToLower(text))
	if m == nil {
		return -1
	}
	n, err := strconv.ParseInt(m[1], 10, 32)
	if err != nil {
		return -1
	}
	if i := strings.Index("kmgt", m[2]); m[2] != "" {
		unit = 1 << (10 * (i + 1))
	}
	return n * unit
}
