package gcp

import (
	"context"
	"net/http"
	"net/url"
	"strconv"
	"time"
)

// Object of Cloud Storage.
type Object struct {
	Name       string    `json:"name"`
	Size       int64     `json:"size,string"`
	Generation int64     `json:"generation,string"`
	Updated    time.Time `json:"updated"`
}

func (c *Client) objectURL(bucket, name string) string {
	return c.rest("storage") + "/storage/v1/b/" + url.PathEscape(bucket) + "/o/" + url.PathEscape(name)
}

// PutObject writes an object if its generation is still the one that is given;
// 0 = if there is none. Another state is an HTTPError with code 412.
func (c *Client) PutObject(ctx context.Context, bucket, name string, data []byte, generation int64) (Object, error) {
	q := url.Values{"uploadType": {"media"}, "name": {name}, "ifGenerationMatch": {strconv.FormatInt(generation, 10)}}
	var made Object
	_, err := c.call(ctx, request{
		method: http.MethodPost, url: c.rest("storage") + "/upload/storage/v1/b/" + url.PathEscape(bucket) + "/o?" + q.Encode(),
		raw: data, contentType: "application/json",
	}, &made)
	return made, err
}

// GetObject reads an object and its generation.
func (c *Client) GetObject(ctx context.Context, bucket, name string) (data []byte, generation int64, err error) {
	header, err := c.call(ctx, request{method: http.MethodGet, url: c.objectURL(bucket, name) + "?alt=media"}, &data)
	if err != nil {
		return nil, 0, err
	}
	generation, _ = strconv.ParseInt(header.Get("X-Goog-Generation"), 10, 64)
	return data, generation, nil
}

// DeleteObject removes an object; generation 0 = whatever it is. One that is
// not there is removed.
func (c *Client) DeleteObject(ctx context.Context, bucket, name string, generation int64) error {
	target := c.objectURL(bucket, name)
	if generation != 0 {
		target += "?ifGenerationMatch=" + strconv.FormatInt(generation, 10)
	}
	_, err := c.call(ctx, request{method: http.MethodDelete, url: target}, nil)
	if IsHTTP(err, http.StatusNotFound) {
		return nil
	}
	return err
}

// ListObjects lists objects by the beginning of their names, at most most of
// them. Lists of Cloud Storage are strongly consistent
// (https://cloud.google.com/storage/docs/consistency).
func (c *Client) ListObjects(ctx context.Context, bucket, prefix string, most int) ([]Object, error) {
	var all []Object
	page := ""
	for {
		q := url.Values{"prefix": {prefix}, "maxResults": {strconv.Itoa(min(most-len(all), 1000))}, "fields": {"items(name,size,generation,updated),nextPageToken"}}
		if page != "" {
			q.Set("pageToken", page)
		}
		var answer struct {
			Items []Object `json:"items"`
			Next  string   `json:"nextPageToken"`
		}
		_, err := c.call(ctx, request{method: http.MethodGet, url: c.rest("storage") + "/storage/v1/b/" + url.PathEscape(bucket) + "/o?" + q.Encode()}, &answer)
		if err != nil {
			return nil, err
		}
		all = append(all, answer.Items...)
		if page = answer.Next; page == "" || len(all) >= most {
			return all, nil
		}
	}
}

// BucketPermissions tells which of the permissions the login has on a bucket.
func (c *Client) BucketPermissions(ctx context.Context, bucket string, wanted []string) ([]string, error) {
	var answer struct {
		Permissions []string `json:"permissions"`
	}
	_, err := c.call(ctx, request{method: http.MethodGet,
		url: c.rest("storage") + "/storage/v1/b/" + url.PathEscape(bucket) + "/iam/testPermissions?" + url.Values{"permissions": wanted}.Encode()}, &answer)
	return answer.Permissions, err
}
