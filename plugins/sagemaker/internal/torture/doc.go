// Package torture kills stephost and the sagemaker plugin at every boundary of a
// run's life, and at random, against the fake.
package torture
