package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"path"
	"path/filepath"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"
	ml "github.com/Azure/azure-sdk-for-go/sdk/resourcemanager/machinelearning/armmachinelearning/v4"
	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/blockblob"

	"github.com/stephost/stephost/pluginsdk"
)

// source makes the code asset of a step's source if it is missing: an address to
// upload to, the files, then the version that points at them. Who dies in the
// middle leaves files that nothing points at; the next one uploads again.
func (cl *client) source(ctx context.Context, source []pluginsdk.SourceRoot, version string, progress func(string)) error {
	c := cl.config
	_, err := cl.codes.Get(ctx, c.ResourceGroup, c.WorkspaceName, codeAsset, version, nil)
	if err == nil || !gone(err) {
		return cl.ask(err)
	}
	progress("uploading the source")
	upload, err := cl.codes.CreateOrGetStartPendingUpload(ctx, c.ResourceGroup, c.WorkspaceName, codeAsset, version,
		ml.PendingUploadRequestDto{PendingUploadType: ptr(ml.PendingUploadTypeTemporaryBlobReference)}, nil)
	if err != nil {
		return cl.ask(err)
	}
	to := upload.BlobReferenceForConsumption
	if to == nil {
		return pluginsdk.System(fmt.Errorf("AzureML gave no address to upload the source to"))
	}
	signed, ok := to.Credential.(*ml.SASCredentialDto)
	if !ok {
		return pluginsdk.System(fmt.Errorf("AzureML gave an address to upload to, but no signature for it"))
	}
	base, err := url.Parse(text(signed.SasURI))
	if err != nil {
		return pluginsdk.System(fmt.Errorf("the address to upload to is none"))
	}
	for _, root := range source {
		if err := cl.upload(ctx, base, root); err != nil {
			return err
		}
	}
	_, err = cl.codes.CreateOrUpdate(ctx, c.ResourceGroup, c.WorkspaceName, codeAsset, version, ml.CodeVersion{
		Properties: &ml.CodeVersionProperties{CodeURI: to.BlobURI, Description: ptr("Source of steps, made by stephost."), Properties: map[string]*string{propOwner: ptr("1")}},
	}, nil)
	return cl.made(err, "", "the code asset")
}

// upload puts the files of one root below the address. Blobs know neither links
// nor modes: a link is uploaded as what it points to.
func (cl *client) upload(ctx context.Context, base *url.URL, root pluginsdk.SourceRoot) error {
	return filepath.WalkDir(root.Path, func(file string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		if info, err := os.Stat(file); err != nil || !info.Mode().IsRegular() {
			return err
		}
		name, err := filepath.Rel(root.Path, file)
		if err != nil {
			return err
		}
		to := *base
		to.Path = path.Join(base.Path, filepath.ToSlash(root.Target), filepath.ToSlash(name))
		blob, err := blockblob.NewClientWithNoCredential(to.String(), &blockblob.ClientOptions{ClientOptions: policy.ClientOptions{Transport: cl.http}})
		if err != nil {
			return err
		}
		f, err := os.Open(file)
		if err != nil {
			return err
		}
		defer f.Close()
		if _, err := blob.UploadFile(ctx, f, nil); err != nil {
			return pluginsdk.Unreachable(fmt.Errorf("uploading %s: %w", name, unsigned(err)))
		}
		return nil
	})
}

// unsigned is an error of a blob without its address, whose signature is as good
// as a password.
func unsigned(err error) error {
	if e := refusal(err); e != nil {
		return fmt.Errorf("HTTP status %d %s", e.StatusCode, e.ErrorCode)
	}
	var at *url.Error
	if errors.As(err, &at) {
		return at.Err
	}
	return err
}
