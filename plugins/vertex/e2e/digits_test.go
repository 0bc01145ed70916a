//go:build linux

package e2e

import (
	"context"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/stephost/stephost/plugins/vertex/internal/fake"
	"github.com/stephost/stephost/test/cloudfake"
	"github.com/stephost/stephost/test/cloudfake/digits"
)

func TestDigits(t *testing.T) {
	f, flags := startFake(t, true)
	require.NoError(t, f.AddLife(context.Background(), cloudfake.LifeRule{Life: cloudfake.Life{LogsLateMS: 300, LogsShuffled: true}}))
	digits.Run(t, "gs://"+fake.Bucket+"/stephost/outputs/", flags...)
}
