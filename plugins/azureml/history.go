package main

import (
	"context"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore/runtime"
)

// The run history is the data plane of a workspace. Its paths are those of the
// vendor's generated Python client (azure-ai-ml, _restclient/runhistory,
// operations/_runs_operations.py). What the resource manager does not tell is
// there: reasons, times, and the addresses of the log.

// historyScope is what tokens for it are asked for (assumption: that of the
// vendor's Python client).
func historyScope(cloud string) string {
	switch cloud {
	case "usgovernment":
		return "https://ml.azure.us/.default"
	case "china":
		return "https://ml.azure.cn/.default"
	}
	return "https://ml.azure.com/.default"
}

// runDetails is what is read of a run.
type runDetails struct {
	Status   string    `json:"status"`
	Start    time.Time `json:"startTimeUtc"`
	End      time.Time `json:"endTimeUtc"`
	Error    *runError `json:"error"`
	Warnings []struct {
		Source  string `json:"source"`
		Message string `json:"message"`
	} `json:"warnings"`
	// LogFiles are addresses with a signature of their own, which ends after a
	// while (assumption: hours).
	LogFiles map[string]string `json:"logFiles"`
}

type runError struct {
	Error struct {
		Code    string `json:"code"`
		Message string `json:"message"`
	} `json:"error"`
}

// details reads a run.
func (cl *client) details(ctx context.Context, job string) (*runDetails, error) {
	var d runDetails
	return &d, cl.read(ctx, "/runs/"+url.PathEscape(job)+"/details", &d)
}

// artifact is a file that a run left.
type artifact struct {
	Path string `json:"path"`
	Name string `json:"name"`
	// ContentURI is the address of its blob, with a signature.
	ContentURI string `json:"contentUri"`
}

func (a artifact) path() string {
	if a.Path == "" {
		return a.Name
	}
	return a.Path
}

// artifacts lists the files of a run below a prefix, up to most (assumption: the
// answer's form, that of the vendor's Python client).
func (cl *client) artifacts(ctx context.Context, job, prefix string, most int) ([]string, error) {
	var names []string
	return names, cl.eachArtifact(ctx, job, prefix, func(a artifact) bool {
		names = append(names, a.path())
		return len(names) <= most
	})
}

// eachArtifact calls each for the files of a run below a prefix, until it says
// false.
func (cl *client) eachArtifact(ctx context.Context, job, prefix string, each func(artifact) bool) error {
	token := ""
	for {
		var page struct {
			Value             []artifact `json:"value"`
			ContinuationToken string     `json:"continuationToken"`
		}
		query := url.Values{"path": {prefix}}
		if token != "" {
			query.Set("continuationToken", token)
		}
		if err := cl.read(ctx, "/runs/"+url.PathEscape(job)+"/artifacts/prefix/contentinfo?"+query.Encode(), &page); err != nil {
			return err
		}
		for _, a := range page.Value {
			if strings.HasPrefix(a.path(), prefix) && !each(a) {
				return nil
			}
		}
		if token = page.ContinuationToken; token == "" {
			return nil
		}
	}
}

func (cl *client) read(ctx context.Context, path string, into any) error {
	w, err := cl.about(ctx, false)
	if err != nil {
		return err
	}
	r, err := runtime.NewRequest(ctx, http.MethodGet, w.history+"/history/v1.0"+cl.config.workspace()+path)
	if err != nil {
		return err
	}
	answer, err := cl.history.Do(r)
	if err != nil {
		return err
	}
	if !runtime.HasStatusCode(answer, http.StatusOK) {
		return runtime.NewResponseError(answer)
	}
	return runtime.UnmarshalAsJSON(answer, into)
}
