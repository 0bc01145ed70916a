package requirements

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/stephost/stephost/host/problem"
)

// The outputs in testdata/output are those of pip and uv; the name of the file
// says which, and what had been done to them.
func TestFailure(t *testing.T) {
	for _, tc := range []struct {
		file  string
		kind  Kind
		pkg   string
		class problem.Class
	}{
		{"pip-unreachable.txt", Unreachable, "six", problem.System},
		{"pip-not-found.txt", NotFound, "no-such-package-stephost", problem.Config},
		{"pip-no-version.txt", NotFound, "six==99", problem.Config},
		{"pip-build.txt", BuildFailed, "broken", problem.Config},
		{"pip-conflict.txt", Conflict, "", problem.Config},
		{"pip-metadata.txt", BuildFailed, "broken", problem.Config},
		{"uv-denied.txt", Denied, "tinypkg", problem.Auth},
		{"pip-hash.txt", WrongHash, "six==1.16.0", problem.Config},
		{"pip-invalid.txt", Invalid, "", problem.Config},
		{"uv-unreachable.txt", Unreachable, "six", problem.System},
		{"uv-not-found.txt", NotFound, "no-such-package-stephost", problem.Config},
		{"uv-build.txt", BuildFailed, "broken", problem.Config},
	} {
		t.Run(tc.file, func(t *testing.T) {
			data, err := os.ReadFile(filepath.Join("testdata", "output", tc.file))
			require.NoError(t, err)
			p := failure("tool", strings.Split(strings.TrimSpace(string(data)), "\n"), "", errors.New("exit status 1"))
			var e *Error
			require.ErrorAs(t, p, &e)
			assert.Equal(t, tc.kind, e.Kind)
			if tc.pkg != "" {
				assert.Equal(t, tc.pkg, e.Package)
				if tc.kind != Invalid && tc.kind != Conflict {
					assert.Contains(t, p.Summary, tc.pkg)
				}
			}
			assert.Equal(t, tc.class, p.Class)
			assert.NotEmpty(t, p.Next)
			assert.LessOrEqual(t, strings.Count(p.Detail, "\n"), outputLines)
		})
	}
	p := failure("pip", nil, "", errors.New("signal: killed"))
	assert.Contains(t, p.Error(), "pip could not install the requirements")
}

// The word of a kind is for programs; a person reads the summary and the cause.
func TestNoWordOfAKindIsShown(t *testing.T) {
	for name, tc := range map[string]struct {
		request Request
		kind    Kind
		want    string
	}{
		"neither version nor path": {Request{Python: "garbage"}, Invalid, `phase preparing: python = "garbage" is neither a version nor a path`},
		"no such version":          {Request{Python: "3.99"}, NoPython, "phase preparing: no Python 3.99 found"},
		"no such file":             {Request{File: "none.txt"}, Invalid, "none.txt: stat "},
	} {
		t.Run(name, func(t *testing.T) {
			tc.request.Environ, tc.request.Dir = plain(t), t.TempDir()
			_, err := Resolve(t.Context(), tc.request)
			var e *Error
			require.ErrorAs(t, err, &e)
			assert.Equal(t, tc.kind, e.Kind)
			if tc.request.File == "" {
				assert.Equal(t, tc.want, err.Error())
			}
			assert.Contains(t, err.Error(), tc.want)
			assert.NotContains(t, err.Error(), string(tc.kind)+":")
		})
	}
}
