//go:build linux

package e2e

// job is a Spark application that computes in two stages with a module of its own,
// tells what it sees, and ends as its first argument says: "ok", "fail" (code 5), or
// "hold", when it computes until the file named by GATE is there and ends with 3.
const job = `import json, os, sys, time, urllib.request
import helper
from pyspark.sql import SparkSession

spark = SparkSession.builder.getOrCreate()
sc = spark.sparkContext
print("argv " + json.dumps(sys.argv[1:]))
print("env " + json.dumps([os.environ.get("PLAIN"), os.environ.get("TOKEN")]))
print("sum", sc.parallelize(range(100), 4).map(helper.pair).reduceByKey(lambda a, b: a + b).map(lambda kv: kv[1]).sum())
out = os.environ["STEPHOST_OUTPUT_DIR"]
with urllib.request.urlopen(f"{sc.uiWebUrl}/api/v1/applications/{sc.applicationId}/environment") as page:
    environment = json.load(page)
with open(os.path.join(out, "environment.json"), "w") as f:
    json.dump({"spark": dict(environment["sparkProperties"]), "system": dict(environment["systemProperties"])}, f)
print(f'::stephost value application={json.dumps(sc.applicationId)}')
print("application", sc.applicationId, flush=True)
if sys.argv[1] == "hold":
    gate = os.environ["GATE"]

    def wait(_):
        while not os.path.exists(gate):
            time.sleep(0.1)

    print("holding", flush=True)
    sc.parallelize(range(2), 2).foreach(wait)
    for i in range(300):
        print("line", i)
    spark.stop()
    sys.exit(3)
sys.exit(5 if sys.argv[1] == "fail" else 0)
`

// helper is a module that executors import, too.
const helper = `def pair(x):
    return (x % 2, 2 * x)
`

// nasty are arguments that shells, Spark's scripts, Java and backends like to change.
func nasty() []string {
	return []string{"a b", "", "n\nl", "c\rr", `q"'`, "$(HOME)", "$$", "${{x}}", "{{WORKER_URL}}", "ü", "*", `back\slash`, "--conf", "-"}
}
