if [ -z "${SPARK_HOME:-}" ]; then
  SPARK_HOME=$("${PYSPARK_PYTHON:-python3}" -c 'from importlib.util import find_spec
s = find_spec("pyspark")
print(s.submodule_search_locations[0] if s else "")' 2>/dev/null)
  [ -n "$SPARK_HOME" ] || SPARK_HOME=/opt/spark
  export SPARK_HOME
fi
java=${JAVA_HOME:+$JAVA_HOME/bin/}java
