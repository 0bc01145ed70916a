package fake

import (
	"context"
	"net/http"
	"strings"

	azfake "github.com/Azure/azure-sdk-for-go/sdk/azcore/fake"
	ml "github.com/Azure/azure-sdk-for-go/sdk/resourcemanager/machinelearning/armmachinelearning/v4"
	mlfake "github.com/Azure/azure-sdk-for-go/sdk/resourcemanager/machinelearning/armmachinelearning/v4/fake"
)

const region = "westeurope"

func ptr[T any](v T) *T { return &v }

// factory holds the vendor's fake servers, filled with what this fake knows.
func (s *Server) factory() *mlfake.ServerFactory {
	return &mlfake.ServerFactory{
		JobsServer: mlfake.JobsServer{CreateOrUpdate: s.putJob, Get: s.getJob},
		WorkspacesServer: mlfake.WorkspacesServer{Get: func(_ context.Context, _, name string, _ *ml.WorkspacesClientGetOptions) (resp azfake.Responder[ml.WorkspacesClientGetResponse], e azfake.ErrorResponder) {
			if name == "missing" {
				e.SetResponseError(http.StatusNotFound, "ResourceNotFound")
				return resp, e
			}
			s.mu.Lock()
			defer s.mu.Unlock()
			resp.SetResponse(http.StatusOK, ml.WorkspacesClientGetResponse{Workspace: ml.Workspace{Name: &name, Location: ptr(region),
				Properties: &ml.WorkspaceProperties{WorkspaceID: ptr(s.workspaceID)}}}, nil)
			return resp, e
		}},
		EnvironmentContainersServer: mlfake.EnvironmentContainersServer{Get: func(_ context.Context, _, _, name string, _ *ml.EnvironmentContainersClientGetOptions) (resp azfake.Responder[ml.EnvironmentContainersClientGetResponse], e azfake.ErrorResponder) {
			if name != "sklearn" {
				e.SetResponseError(http.StatusNotFound, "UserError")
				return resp, e
			}
			resp.SetResponse(http.StatusOK, ml.EnvironmentContainersClientGetResponse{EnvironmentContainer: ml.EnvironmentContainer{
				Properties: &ml.EnvironmentContainerProperties{LatestVersion: ptr("7")}}}, nil)
			return resp, e
		}},
		EnvironmentVersionsServer: mlfake.EnvironmentVersionsServer{
			Get: func(_ context.Context, _, _, name, version string, _ *ml.EnvironmentVersionsClientGetOptions) (resp azfake.Responder[ml.EnvironmentVersionsClientGetResponse], e azfake.ErrorResponder) {
				s.mu.Lock()
				defer s.mu.Unlock()
				v := s.environments[name+"/"+version]
				if v == nil {
					e.SetResponseError(http.StatusNotFound, "UserError")
					return resp, e
				}
				resp.SetResponse(http.StatusOK, ml.EnvironmentVersionsClientGetResponse{EnvironmentVersion: *v}, nil)
				return resp, e
			},
			CreateOrUpdate: func(_ context.Context, _, _, name, version string, body ml.EnvironmentVersion, _ *ml.EnvironmentVersionsClientCreateOrUpdateOptions) (resp azfake.Responder[ml.EnvironmentVersionsClientCreateOrUpdateResponse], e azfake.ErrorResponder) {
				s.mu.Lock()
				defer s.mu.Unlock()
				if body.Properties == nil || body.Properties.Image == nil {
					e.SetResponseError(http.StatusBadRequest, "UserError")
					return resp, e
				}
				s.environments[name+"/"+version] = &body
				resp.SetResponse(http.StatusCreated, ml.EnvironmentVersionsClientCreateOrUpdateResponse{EnvironmentVersion: body}, nil)
				return resp, e
			},
		},
		CodeVersionsServer: mlfake.CodeVersionsServer{
			Get: func(_ context.Context, _, _, name, version string, _ *ml.CodeVersionsClientGetOptions) (resp azfake.Responder[ml.CodeVersionsClientGetResponse], e azfake.ErrorResponder) {
				s.mu.Lock()
				defer s.mu.Unlock()
				v := s.codes[name+"/"+version]
				if v == nil {
					e.SetResponseError(http.StatusNotFound, "UserError")
					return resp, e
				}
				resp.SetResponse(http.StatusOK, ml.CodeVersionsClientGetResponse{CodeVersion: *v}, nil)
				return resp, e
			},
			CreateOrUpdate: func(_ context.Context, _, _, name, version string, body ml.CodeVersion, _ *ml.CodeVersionsClientCreateOrUpdateOptions) (resp azfake.Responder[ml.CodeVersionsClientCreateOrUpdateResponse], e azfake.ErrorResponder) {
				s.mu.Lock()
				defer s.mu.Unlock()
				s.codes[name+"/"+version] = &body
				resp.SetResponse(http.StatusCreated, ml.CodeVersionsClientCreateOrUpdateResponse{CodeVersion: body}, nil)
				return resp, e
			},
			CreateOrGetStartPendingUpload: s.startUpload,
		},
		ComputeServer: mlfake.ComputeServer{Get: func(_ context.Context, _, _, name string, _ *ml.ComputeClientGetOptions) (resp azfake.Responder[ml.ComputeClientGetResponse], e azfake.ErrorResponder) {
			s.mu.Lock()
			defer s.mu.Unlock()
			c := s.computes[name]
			if c == nil {
				e.SetResponseError(http.StatusNotFound, "ComputeNotFound")
				return resp, e
			}
			resp.SetResponse(http.StatusOK, ml.ComputeClientGetResponse{ComputeResource: *c}, nil)
			return resp, e
		}},
		VirtualMachineSizesServer: mlfake.VirtualMachineSizesServer{List: func(context.Context, string, *ml.VirtualMachineSizesClientListOptions) (resp azfake.Responder[ml.VirtualMachineSizesClientListResponse], e azfake.ErrorResponder) {
			resp.SetResponse(http.StatusOK, ml.VirtualMachineSizesClientListResponse{VirtualMachineSizeListResult: ml.VirtualMachineSizeListResult{Value: []*ml.VirtualMachineSize{
				{Name: ptr("Standard_DS3_v2"), Family: ptr("standardDSv2Family"), VCPUs: ptr(int32(4))},
				{Name: ptr("Standard_NC6s_v3"), Family: ptr("standardNCSv3Family"), VCPUs: ptr(int32(6))},
			}}}, nil)
			return resp, e
		}},
	}
}

// startUpload gives an address below /upload. The host of a fake is not known to
// the vendor's servers: the caller's own is taken.
func (s *Server) startUpload(ctx context.Context, _, _, _, version string, _ ml.PendingUploadRequestDto, _ *ml.CodeVersionsClientCreateOrGetStartPendingUploadOptions) (resp azfake.Responder[ml.CodeVersionsClientCreateOrGetStartPendingUploadResponse], e azfake.ErrorResponder) {
	at := "http://" + hostOf(ctx) + "/upload/" + version
	resp.SetResponse(http.StatusOK, ml.CodeVersionsClientCreateOrGetStartPendingUploadResponse{PendingUploadResponseDto: ml.PendingUploadResponseDto{
		BlobReferenceForConsumption: &ml.BlobReferenceForConsumptionDto{BlobURI: &at,
			Credential: &ml.SASCredentialDto{CredentialType: ptr(ml.PendingUploadCredentialTypeSAS), SasURI: ptr(at + "?sig=upload")}},
	}}, nil)
	return resp, e
}

// addComputes are the computes that are there from the start.
func (s *Server) addComputes() {
	cluster := func(size string, most int32) *ml.ComputeResource {
		return &ml.ComputeResource{Location: ptr(region), Properties: &ml.AmlCompute{ComputeType: ptr(ml.ComputeTypeAmlCompute), ProvisioningState: ptr(ml.ProvisioningStateSucceeded),
			Properties: &ml.AmlComputeProperties{VMSize: &size, ScaleSettings: &ml.ScaleSettings{MaxNodeCount: &most}}}}
	}
	instance := func(state ml.ComputeInstanceState) *ml.ComputeResource {
		return &ml.ComputeResource{Location: ptr(region), Properties: &ml.ComputeInstance{ComputeType: ptr(ml.ComputeTypeComputeInstance), ProvisioningState: ptr(ml.ProvisioningStateSucceeded),
			Properties: &ml.ComputeInstanceProperties{VMSize: ptr("Standard_DS3_v2"), State: &state}}}
	}
	broken := cluster("Standard_DS3_v2", 1)
	broken.Properties.(*ml.AmlCompute).ProvisioningState = ptr(ml.ProvisioningStateFailed)
	s.computes["cpu-cluster"], s.computes["broken"] = cluster("STANDARD_DS3_V2", 4), broken
	s.computes["my-instance"], s.computes["stopped"] = instance(ml.ComputeInstanceStateRunning), instance(ml.ComputeInstanceStateStopped)
}

func (s *Server) makeCompute(w http.ResponseWriter, r *http.Request, parts []string) {
	var c ml.ComputeResource
	if err := decode(r, &c); err != nil || c.Properties == nil {
		answerError(w, http.StatusBadRequest, "UserError", "no compute")
		return
	}
	switch k := c.Properties.(type) {
	case *ml.AmlCompute:
		k.ProvisioningState = ptr(ml.ProvisioningStateSucceeded)
	case *ml.ComputeInstance:
		k.ProvisioningState = ptr(ml.ProvisioningStateSucceeded)
	}
	s.mu.Lock()
	s.computes[parts[1]] = &c
	s.mu.Unlock()
	answer(w, http.StatusCreated, &c)
}

func (s *Server) usages(w http.ResponseWriter, _ *http.Request, _ []string) {
	answer(w, http.StatusOK, map[string]any{"value": []any{
		map[string]any{"name": map[string]string{"value": "standardDSv2Family"}, "currentValue": 4, "limit": 24},
		map[string]any{"name": map[string]string{"value": "standardNCSv3Family"}, "currentValue": 0, "limit": 0},
	}})
}

// last is the last part of a resource ID.
func last(id *string) string {
	if id == nil {
		return ""
	}
	return (*id)[strings.LastIndexByte(*id, '/')+1:]
}
