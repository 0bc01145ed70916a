package pyenv

import (
	"testing"

	"github.com/stretchr/testify/assert"
)

func TestLeading(t *testing.T) {
	want := []string{"PIP_INDEX_URL=https://i/simple", "UV_DEFAULT_INDEX=", "https_proxy=http://p:1", "NO_PROXY=a=b", "SSL_CERT_FILE=/c", "REQUESTS_CA_BUNDLE=/c"}
	assert.Equal(t, want, leading(append([]string{"HOME=/h", "PIPELINE=x", "HTTP_TOKEN=x", "pip_index_url=x", "SSL_CERT_NAME=x"}, want...)))
}
