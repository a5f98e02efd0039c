// SPDX-License-Identifier: Apache-2.0
// Names in the cluster: groups, labels, annotations, the finalizer. A contract with clients: never rename.
#pragma once

#define API_VERSION   "datamigration.apecloud.io/v1alpha1"
#define API_BASE      "/apis/datamigration.apecloud.io/v1alpha1"
#define KIND_TASK     "MigrationTask"
#define FIELD_MANAGER "kubeferry-controller"
#define FINALIZER     "datamigration.apecloud.io/cleanup"

#define LABEL_MANAGED_BY       "app.kubernetes.io/managed-by"
#define LABEL_MANAGED_BY_VALUE "kubeferry"
#define LABEL_NAME             "app.kubernetes.io/name"
#define LABEL_NAME_VALUE       "kubeferry-worker"
#define LABEL_CLIENT_TASK      "datamigration.apecloud.io/migrationtask" // on the Jobs of steps and on every worker pod
#define LABEL_TASK             "kubeferry.io/task"                       // on every Job and pod of ours
#define LABEL_WORK             "kubeferry.io/work"                       // which work: precheck, …, cleanup
#define LABEL_JOB              "batch.kubernetes.io/job-name"            // set by Kubernetes on pods

#define ANNOTATION_ORDER   "common.apecloud.io/serial_job_order" // on pods of the steps before cdc
#define ANNOTATION_STEP    "datamigration.apecloud.io/step"      // on the pod of cdc
#define ANNOTATION_INPUTS  "kubeferry.io/inputs"                 // on Jobs: what it was made from, as a hash
#define ANNOTATION_ATTEMPT "kubeferry.io/attempt"                // on Jobs: 1, 2, …
#define ANNOTATION_REQUEST                                                                                             \
    "kubeferry.io/request" // on the Job that verifies, the pod that switches: which request it answers
#define ANNOTATION_INDEX "batch.kubernetes.io/job-completion-index"
