package gcp

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"time"
)

// Limits of making a repository.
const (
	// repositoryWait: making one takes some seconds (assumption).
	repositoryWait = 45 * time.Second
	repositoryPoll = 500 * time.Millisecond
)

// RepositoryExists asks Artifact Registry for a repository.
func (c *Client) RepositoryExists(ctx context.Context, project, location, name string) (bool, error) {
	_, err := c.call(ctx, request{method: http.MethodGet, url: c.repository(project, location) + "/" + url.PathEscape(name)}, nil)
	if IsHTTP(err, http.StatusNotFound) {
		return false, nil
	}
	return err == nil, err
}

func (c *Client) repository(project, location string) string {
	return c.rest("artifactregistry") + "/v1/projects/" + url.PathEscape(project) + "/locations/" + url.PathEscape(location) + "/repositories"
}

// operation of Artifact Registry.
type operation struct {
	Name  string `json:"name"`
	Done  bool   `json:"done"`
	Error *struct {
		Message string `json:"message"`
	} `json:"error"`
}

// CreateRepository makes a repository for images, and waits until it is there.
// created = false: somebody else made it meanwhile.
func (c *Client) CreateRepository(ctx context.Context, project, location, name string) (created bool, err error) {
	ctx, cancel := context.WithTimeout(ctx, repositoryWait)
	defer cancel()
	var op operation
	_, err = c.call(ctx, request{
		method: http.MethodPost, url: c.repository(project, location) + "?repositoryId=" + url.QueryEscape(name),
		body: map[string]string{"format": "DOCKER", "description": "Images of steps that stephost launched."},
	}, &op)
	if IsHTTP(err, http.StatusConflict) {
		return false, nil
	}
	for err == nil && !op.Done {
		select {
		case <-ctx.Done():
			return false, fmt.Errorf("the repository %s is still being made: %w", name, ctx.Err())
		case <-time.After(repositoryPoll):
		}
		_, err = c.call(ctx, request{method: http.MethodGet, url: c.rest("artifactregistry") + "/v1/" + op.Name}, &op)
	}
	if err == nil && op.Error != nil {
		err = errors.New(op.Error.Message)
	}
	return err == nil, err
}
