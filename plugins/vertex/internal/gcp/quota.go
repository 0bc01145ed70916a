package gcp

import (
	"context"
	"net/http"
	"net/url"
)

// Quota is the limit of a metric in a region; found = false where Cloud Quotas
// does not know it.
func (c *Client) Quota(ctx context.Context, project, region, metric string) (limit int64, found bool, err error) {
	page := ""
	for {
		q := url.Values{"pageSize": {"200"}}
		if page != "" {
			q.Set("pageToken", page)
		}
		var answer struct {
			Infos []quotaInfo `json:"quotaInfos"`
			Next  string      `json:"nextPageToken"`
		}
		_, err := c.call(ctx, request{method: http.MethodGet, url: c.rest("cloudquotas") + "/v1/projects/" + url.PathEscape(project) +
			"/locations/global/services/aiplatform.googleapis.com/quotaInfos?" + q.Encode()}, &answer)
		if err != nil {
			return 0, false, err
		}
		for _, info := range answer.Infos {
			if info.Metric == "aiplatform.googleapis.com/"+metric {
				if limit, ok := info.in(region); ok {
					return limit, true, nil
				}
			}
		}
		if page = answer.Next; page == "" {
			return 0, false, nil
		}
	}
}

// quotaInfo of Cloud Quotas
// (https://cloud.google.com/docs/quotas/reference/rest/v1/projects.locations.services.quotaInfos).
type quotaInfo struct {
	Metric     string `json:"metric"`
	Dimensions []struct {
		Locations  []string          `json:"applicableLocations"`
		Dimensions map[string]string `json:"dimensions"`
		Details    struct {
			Value int64 `json:"value,string"`
		} `json:"details"`
	} `json:"dimensionsInfos"`
}

func (i quotaInfo) in(region string) (int64, bool) {
	for _, d := range i.Dimensions {
		if d.Dimensions["region"] == region {
			return d.Details.Value, true
		}
		for _, l := range d.Locations {
			if l == region {
				return d.Details.Value, true
			}
		}
	}
	return 0, false
}
