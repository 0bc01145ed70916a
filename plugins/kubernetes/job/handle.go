package job

import (
	"context"
	"encoding/json"
	"fmt"

	batchv1 "k8s.io/api/batch/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/stephost/stephost/plugins/kubernetes/internal/kube"
	"github.com/stephost/stephost/pluginsdk"
)

// handleVersion is that of handleData.
const handleVersion = 1

// handleData is the data of a handle. A Job of the same name with another UID
// is not ours.
type handleData struct {
	Namespace string    `json:"namespace"`
	Name      string    `json:"name"`
	UID       types.UID `json:"uid"`
	Key       string    `json:"key"`
	Attempt   int       `json:"attempt"`
}

func handleOf(job *batchv1.Job, existing bool) pluginsdk.Handle {
	key := job.Labels[labelKey]
	data, _ := json.Marshal(handleData{Namespace: job.Namespace, Name: job.Name, UID: job.UID, Key: key, Attempt: attemptOf(job)})
	return pluginsdk.Handle{Version: handleVersion, Data: data, Key: key, Existing: existing, NativeName: job.Namespace + "/" + job.Name}
}

// open is the Job that a handle means, and its cluster. The handle's namespace
// wins over the config's, which may have changed since: the config gives
// credentials only.
func (f *Flavor) open(ctx context.Context, c Config, h pluginsdk.Handle) (*kube.Cluster, handleData, error) {
	var data handleData
	if err := json.Unmarshal(h.Data, &data); err != nil || data.Name == "" || data.Namespace == "" {
		return nil, data, fmt.Errorf("the handle is damaged: %q", h.Data)
	}
	c.Namespace = data.Namespace
	cluster, err := f.cluster(ctx, c)
	return cluster, data, err
}
