// Package fake is a stateful stand-in of a Spark standalone cluster: a master with
// its REST submission server and its web UI, and one worker with its own. Drivers
// really run, as local processes, but for Java: a shell stands where the worker
// starts one. It is for tests of hundreds of deaths; e2e runs the same on a real
// master, and compares the answers of both (TestTortureStandalone).
//
// What it does, and from where that is known: classes of Spark 4.1 below
// org.apache.spark.deploy, or "measured" on a real cluster of pyspark 4.1.4.
//
//	behaviour                                                         source
//	POST /v1/submissions/create, /kill/ID, GET /status/ID             rest.RestSubmissionServer, contextToServlet
//	any other path: 400, or 468 for another protocol version          rest.ErrorServlet
//	no JSON, or a field is missing: 400, ErrorResponse                rest.SubmitRequestServlet, CreateSubmissionRequest.doValidate
//	answers are JSON without the fields that are null                 rest.SubmitRestProtocolMessage.toJson
//	a created driver is SUBMITTED and has an ID, and is answered for
//	before it runs; nothing in a request is a key, nothing lists      master.Master, RequestSubmitDriver
//	driver-yyyyMMddHHmmss-NNNN, numbered by the master                master.Master.newDriverId
//	RUNNING when the worker is asked to start it                      master.Master.launchDriver
//	FINISHED by exit code 0, else KILLED when it was to be killed,
//	else FAILED; no code is told                                      worker.DriverRunner.start
//	ERROR with "Exception from the cluster" when it cannot start      worker.DriverRunner.start, rest.StandaloneStatusRequestServlet
//	ERROR without a message when its worker is lost; its process is
//	left alone                                                        master.Master.removeWorker
//	not supervised: never started twice                               worker.DriverRunner.runCommandWithRetry
//	kill of a waiting driver: KILLED; of a running one: answered at
//	once, and done by the worker later                                master.Master, RequestKillDriver
//	kill of one that is over or unknown: success = false, HTTP 200    master.Master, RequestKillDriver
//	kill: SIGTERM to the driver's own process, SIGKILL 10 s later     worker.DriverRunner.kill, util.Utils.terminateProcess
//	a status that nobody knows: success = false and no state          rest.StandaloneStatusRequestServlet
//	a master that stands by refuses creations and kills by a message,
//	and answers a status with an exception in the message             master.Master, RecoveryState
//	ended drivers are forgotten, here when a test says so (Delete)    spark.deploy.retainedDrivers
//	a driver's environment: the worker's and what the request adds,
//	but for SPARK_LOCAL_IP and SPARK_LOCAL_HOSTNAME                   worker.CommandUtils, rest.StandaloneSubmitRequestServlet
//	its directory: work directory / ID, with stdout and stderr, which
//	begins with the launch command; the streams are copied from pipes worker.DriverRunner.runDriver
//	SparkSubmit starts the Python program as a child, both streams of
//	it into the own standard output, and ends with its code           PythonRunner (redirectErrorStream; SparkUserAppException)
//	a Java that is ended by SIGTERM leaves its children alone         measured
//	/json/ of the master: status, workers, applications, drivers      JsonProtocol.writeMasterState
//	/json/ of the worker: executors (none: no driver here has any)    JsonProtocol.writeWorkerState
//	/log/ of the worker: a header with the range, then the bytes      worker.ui.LogPage.renderLog
//	as text: bytes that are no UTF-8 become U+FFFD                    util.Utils.offsetBytes
//	one worker that has room for every driver                         assumption: what waits for room waits by its Life
//	QueuedMS, CancelMS, CancelNever, NoCapacity of a Life             assumption: how long a master and its worker take
//
// Invariants:
//
//   - a driver's process is started once;
//   - what a driver leaves behind when it ends is left alone, as on a real worker;
//     all of it ends with the fake;
//   - faults befall calls in the service or on the wire, as package cloudfake has
//     them.
package fake
