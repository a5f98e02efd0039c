// SPDX-License-Identifier: Apache-2.0
// What the API server holds of our kinds, kept up to date by four watches: tasks, templates, our Jobs and their pods.
// Must not decide anything: it says which task has changed.
#pragma once

#include "common/k8s/k8s_client.h"
#include "controller/task.h"
#include "controller/template.h"
#include "controller/worker_job.h"

typedef struct Store Store;

typedef struct StoreListener {
    void (*task_changed)(void *context, const char *key); // the task, its template, one of its Jobs or pods
    void (*template_changed)(void *context, const char *name);
    void (*synced)(void *context); // all four have been complete once; called once
    void *context;
} StoreListener;

Store *store_start(K8sClient *client, const StoreListener *listener); // never NULL
void store_free(Store *store);
bool store_synced(const Store *store);
// Borrowed, until the loop turns; NULL: not there.
Task *store_task(const Store *store, const char *key);
Template *store_template(const Store *store, const char *name);
WorkerJob *store_job(const Store *store, const char *namespace_name, const char *name);
size_t store_task_count(const Store *store);
void store_each_task(const Store *store, void (*visit)(void *context, Task *task), void *context);
void store_each_template(const Store *store, void (*visit)(void *context, Template *template), void *context);
// What a write gave back: the cache must not be older than our own last write.
void store_put_task(Store *store, json_object *object);
void store_put_job(Store *store, json_object *object);
// The Service of a switch (WORK_CUTOVER, WORK_ROLLBACK) leads to where it went.
void store_note_service(Store *store, const char *task_key, int work);
void store_forget_job(Store *store, const char *key, const char *uid); // it was deleted; its pods may still be there
