// Package spark tests the flavor `spark` on a real Kubernetes, with the stephost
// command line and the plugin's real binary: drivers are Jobs, executors are pods, and
// both run the image that stephost itself builds, on a base with Java and Python and
// pyspark among the requirements. One cluster, one operator, one image: of a step only
// the source differs.
package spark
