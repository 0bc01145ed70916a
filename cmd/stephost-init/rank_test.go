//go:build linux

package main

import (
	"errors"
	"os"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/stephost/stephost/internal/shim"
)

func TestPlace(t *testing.T) {
	const pools = `"cluster":{"workerpool0":["w0-ab-0:2222"],"workerpool1":["w1-ab-0:2222","w1-ab-1:2222"]}`
	for _, tc := range []struct {
		name, file string
		env        []string
		want       place
		err        string
	}{
		{"kubernetes", "", []string{shim.RankFrom + "=kubernetes", shim.Nodes + "=3", shim.MasterAddr + "=job-0.job", "JOB_COMPLETION_INDEX=2"},
			place{2, 3, "job-0.job", "29500"}, ""},
		{"kubernetes, one node", "", []string{shim.RankFrom + "=kubernetes", shim.Nodes + "=1", "JOB_COMPLETION_INDEX=0"}, place{0, 1, "127.0.0.1", "29500"}, ""},
		{"kubernetes, no index", "", []string{shim.RankFrom + "=kubernetes", shim.Nodes + "=3"}, place{}, "JOB_COMPLETION_INDEX is not set"},
		{"kubernetes, index too large", "", []string{shim.RankFrom + "=kubernetes", shim.Nodes + "=2", "JOB_COMPLETION_INDEX=2"}, place{}, "rank 2 of 2"},
		{"kubernetes, no address", "", []string{shim.RankFrom + "=kubernetes", shim.Nodes + "=2", "JOB_COMPLETION_INDEX=1"}, place{}, "address of node 0"},
		{"sagemaker", `{"current_host":"algo-2","hosts":["algo-2","algo-1"]}`, []string{shim.RankFrom + "=sagemaker"}, place{1, 2, "algo-1", "29500"}, ""},
		{"sagemaker, no file", "", []string{shim.RankFrom + "=sagemaker"}, place{}, "no such file"},
		{"sagemaker, a stranger", `{"current_host":"algo-3","hosts":["algo-1"]}`, []string{shim.RankFrom + "=sagemaker"}, place{}, `does not name "algo-3"`},
		{"vertex", "", []string{shim.RankFrom + "=vertex", `CLUSTER_SPEC={` + pools + `,"task":{"type":"workerpool1","index":1,"trial":"t"}}`}, place{2, 3, "w0-ab-0", "29500"}, ""},
		{"vertex, the first", "", []string{shim.RankFrom + "=vertex", `CLUSTER_SPEC={` + pools + `,"task":{"type":"workerpool0","index":0}}`}, place{0, 3, "w0-ab-0", "29500"}, ""},
		{"vertex, other pool", "", []string{shim.RankFrom + "=vertex", `CLUSTER_SPEC={` + pools + `,"task":{"type":"x","index":0}}`}, place{}, `pool "x"`},
		{"vertex, nothing", "", []string{shim.RankFrom + "=vertex"}, place{}, "CLUSTER_SPEC is not set"},
		{"azureml", "", []string{shim.RankFrom + "=azureml", "NODE_RANK=1", "WORLD_SIZE=2", "MASTER_ADDR=10.0.0.4", "MASTER_PORT=6105"}, place{1, 2, "10.0.0.4", "6105"}, ""},
		{"port of the plugin", "", []string{shim.RankFrom + "=azureml", shim.MasterPort + "=1", "RANK=0", "WORLD_SIZE=1"}, place{0, 1, "127.0.0.1", "1"}, ""},
		{"unknown source", "", []string{shim.RankFrom + "=later"}, place{}, `does not know the source "later"`},
	} {
		t.Run(tc.name, func(t *testing.T) {
			e, err := stepEnvironment(tc.env)
			require.NoError(t, err)
			got, err := placeOf(e.control(shim.RankFrom), e, func(string) ([]byte, error) {
				if tc.file == "" {
					return nil, &os.PathError{Op: "open", Path: resourceConfig, Err: errors.New("no such file")}
				}
				return []byte(tc.file), nil
			})
			if tc.err != "" {
				assert.ErrorContains(t, err, tc.err)
				return
			}
			require.NoError(t, err)
			assert.Equal(t, tc.want, got)
		})
	}
}
