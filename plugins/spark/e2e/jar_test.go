//go:build linux

package e2e

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// TestJar: a jar of the step's source is the application, here Spark's own SQL shell,
// so that no compiler is needed. Its arguments arrive, and its exit code comes back.
func TestJar(t *testing.T) {
	w := newWorld(t, "--master=local[2]")
	found, err := filepath.Glob(filepath.Join(install.Home, "jars", "spark-hive-thriftserver_*.jar"))
	require.NoError(t, err)
	require.Len(t, found, 1)
	jar, err := os.ReadFile(found[0])
	require.NoError(t, err)
	w.put("app.jar", string(jar))
	for name, c := range map[string]struct {
		sql, stdout string
		code        int
	}{
		"ends well":  {`SELECT 'a  b', '$(HOME) *', 'q"', '--conf', 40 + 2`, "a  b\t$(HOME) *\tq\"\t--conf\t42\n", 0},
		"ends badly": {"SELECT nobody", "", 1},
	} {
		t.Run(name, func(t *testing.T) {
			o := w.run("launch", "--operator", "op", "--source", w.source(), "--set", "main_class=org.apache.spark.sql.hive.thriftserver.SparkSQLCLIDriver",
				"--", "app.jar", "-S", "-e", c.sql)
			require.Equal(t, c.code, o.code, "%s", o.stderr)
			assert.Contains(t, o.stdout, c.stdout)
		})
	}
}
