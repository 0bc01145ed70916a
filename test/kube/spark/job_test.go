//go:build linux

package spark

// job is an application that computes in two stages on executors, with a module of
// its own, tells what it and they see, and ends as its first argument says: "fail"
// (code 5), or "hold", when executors compute until the file gate is there and it
// ends with 3.
const job = `import json, os, sys, time, urllib.request
import helper
from pyspark.sql import SparkSession

spark = SparkSession.builder.getOrCreate()
sc = spark.sparkContext
print("argv " + json.dumps(sys.argv[1:]))
print("env " + json.dumps([os.environ.get("PLAIN"), os.environ.get("TOKEN")]))
print("sum", sc.parallelize(range(100), 4).map(helper.pair).reduceByKey(lambda a, b: a + b).map(lambda kv: kv[1]).sum())
token = "/var/run/secrets/kubernetes.io/serviceaccount/token"
print("executors " + json.dumps(sc.parallelize([0], 1).map(lambda _: [os.environ.get("PLAIN"), os.environ.get("TOKEN"), os.path.exists(token), os.getuid()]).first()))
with urllib.request.urlopen(f"{sc.uiWebUrl}/api/v1/applications/{sc.applicationId}/environment") as page:
    environment = json.load(page)
with open("/share/page.json", "w") as f:
    json.dump(dict(environment["sparkProperties"]), f)
print("told", flush=True)
if sys.argv[1] == "hold":

    def wait(_):
        while not os.path.exists("/share/gate"):
            time.sleep(0.1)

    print("holding", flush=True)
    sc.parallelize(range(2), 2).foreach(wait)
    for i in range(300):
        print("line", i)
    spark.stop()
    sys.exit(3)
sys.exit(5)
`

// helper is a module that executors import, too.
const helper = `def pair(x):
    return (x % 2, 2 * x)
`

// nasty are arguments that shells, Spark's scripts, Java and Kubernetes like to change.
func nasty() []string {
	return []string{"a b", "", "n\nl", "c\rr", `q"'`, "$(HOME)", "$(STEPHOST_RUN)", "$$(HOME)", "$$", "${{x}}", "{{WORKER_URL}}", "ü", "*", `back\slash`, "--conf", "-"}
}
