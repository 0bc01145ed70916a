import http.client
import json
import ssl
import sys
import urllib.parse

# Says what the pod's service account lacks that Spark needs for executors. What
# cannot be asked is not said: then Spark itself finds out.
home = "/var/run/secrets/kubernetes.io/serviceaccount/"
try:
    token = open(home + "token").read()
except OSError:
    print("the driver has no token of a service account, so it cannot make executors")
    sys.exit()
try:
    url, namespace = urllib.parse.urlsplit(sys.argv[1]), sys.argv[2]
    if url.scheme == "https":
        server = http.client.HTTPSConnection(url.netloc, timeout=10, context=ssl.create_default_context(cafile=home + "ca.crt"))
    else:
        server = http.client.HTTPConnection(url.netloc, timeout=10)
    missing = []
    for verb in ("create", "get", "list", "watch", "delete"):
        review = {
            "apiVersion": "authorization.k8s.io/v1",
            "kind": "SelfSubjectAccessReview",
            "spec": {"resourceAttributes": {"namespace": namespace, "verb": verb, "resource": "pods"}},
        }
        server.request(
            "POST",
            url.path.rstrip("/") + "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews",
            json.dumps(review),
            {"Authorization": "Bearer " + token, "Content-Type": "application/json"},
        )
        if not json.load(server.getresponse())["status"]["allowed"]:
            missing.append(verb)
except Exception:
    sys.exit()
if missing:
    print(
        f"the driver's service account may not {', '.join(missing)} pods in the namespace {namespace}, so it cannot make executors: "
        "give it the Role that stands on the flavor's page, or name another one (service_account)"
    )
