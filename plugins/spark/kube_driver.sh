fail() {
  printf 'stephost: %s\n' "$*" >&2
  printf 'stephost: %s' "$*" >/dev/termination-log
  exit 78
}
bracketed() {
  case $1 in *:*) printf '[%s]' "$1" ;; *) printf '%s' "$1" ;; esac
}
command -v bash >/dev/null || fail "the image has no bash, which Spark's scripts are written in"
command -v "$java" >/dev/null || fail "the image has no Java at $java: take a base image with Java, or set java_home"
[ -x "$SPARK_HOME/bin/spark-submit" ] ||
  fail "the image has no Spark: $SPARK_HOME/bin/spark-submit is not there. Add pyspark to the step's requirements, take a base image with Spark, or set spark_home"
dir=/tmp/stephost-spark
mkdir -p "$dir" && printf %s "$STEPHOST_SPARK_PROGRAM" >"$dir/driver.py" && printf %s "$STEPHOST_SPARK_EXECUTOR" >"$dir/executor.json" ||
  fail "$dir cannot be written"
master=$STEPHOST_SPARK_API
[ -n "$master" ] || master=https://$(bracketed "$KUBERNETES_SERVICE_HOST"):$KUBERNETES_SERVICE_PORT
python=${PYSPARK_PYTHON:-python3}
if command -v "$python" >/dev/null; then
  missing=$("$python" -c "$STEPHOST_SPARK_ALLOWED" "$master" "$STEPHOST_POD_NAMESPACE")
  [ -z "$missing" ] || fail "$missing"
fi
set -- --master "k8s://$master" --conf "spark.driver.host=$(bracketed "$STEPHOST_POD_IP")" \
  --conf "spark.kubernetes.driver.pod.name=$STEPHOST_POD_NAME" --conf "spark.kubernetes.namespace=$STEPHOST_POD_NAMESPACE" \
  --conf "spark.kubernetes.executor.podTemplateFile=$dir/executor.json" "$@"
unset STEPHOST_SPARK_PROGRAM STEPHOST_SPARK_EXECUTOR STEPHOST_SPARK_API STEPHOST_SPARK_ALLOWED STEPHOST_POD_IP STEPHOST_POD_NAME STEPHOST_POD_NAMESPACE
exec "$SPARK_HOME/bin/spark-submit" "$@"
