package main

import (
	"context"
	"errors"
	"net"

	"github.com/google/go-containerregistry/pkg/name"

	"github.com/stephost/stephost/pluginsdk"
)

// Preflight looks, without changing anything, for what a launch would stumble on:
// the login and its workspace, the environment, secrets, volumes and proxies by
// their names, and whether Modal can reach the registry at all.
func (f *flavor) Preflight(ctx context.Context, c Config, s *pluginsdk.Step) error {
	if _, err := f.Scope(ctx, c); err != nil {
		return err
	}
	q, err := f.open(ctx, c)
	if err != nil {
		return err
	}
	var set Settings
	if s != nil {
		if err := s.DecodeSettings(&set); err != nil {
			return err
		}
	}
	t, err := q.lookUp(ctx, set, false)
	found := []error{err}
	if c.RegistrySecret != "" {
		id, err := q.secretID(ctx, t.Environment, c.RegistrySecret)
		if err == nil && id == "" {
			err = pluginsdk.Config("config.registry_secret", "there is no Modal secret %s in the environment %s", c.RegistrySecret, t.Environment)
		}
		found = append(found, err)
	}
	if s != nil && s.Environment.Image != nil {
		found = append(found, c.checkImage(s.Environment.Image.Reference))
	}
	return errors.Join(found...)
}

// checkImage warns of a registry that Modal cannot reach, and finds out whether
// there is a login to give.
func (c Config) checkImage(reference string) error {
	ref, err := name.ParseReference(reference)
	if err != nil {
		return nil // the digest is known at launch
	}
	if c.RegistryLogin {
		if _, _, err := registryLogin(reference); err != nil {
			return err
		}
	}
	host := ref.Context().RegistryStr()
	if h, _, err := net.SplitHostPort(host); err == nil {
		host = h
	}
	if ip := net.ParseIP(host); host == "localhost" || ip.IsLoopback() || ip.IsPrivate() {
		return pluginsdk.Warn("environment.registry", "Modal pulls the image itself, and cannot reach %s: use a registry on the internet", ref.Context().RegistryStr())
	}
	return nil
}
