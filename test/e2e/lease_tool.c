// SPDX-License-Identifier: Apache-2.0
// Competes for a Lease and prints, with the machine's monotonic seconds, when it leads ("work 12.345", every 20 ms at
// most, as lease_leading says) and what it is told ("leading 12.345", "lost 12.345"), for test_lease.py. SIGTERM: gives
// the lease back.
//   lease_tool KUBECONFIG NAMESPACE IDENTITY
#include "common/base/clock.h"
#include "common/base/log.h"
#include "common/base/stop.h"
#include "controller/lease.h"

#include <stdio.h>

static void say(const char *what, double at)
{
    printf("%s %.6f\n", what, at);
    fflush(stdout);
}

static void changed(void *context, bool leading)
{
    (void)context;
    say(leading ? "leading" : "lost", clock_monotonic());
}

// The time is taken first: whoever leads now led then.
static void work(const Lease *lease)
{
    static double last;
    double now = clock_monotonic();

    if (now - last < 0.02 || !lease_leading(lease))
        return;
    last = now;
    say("work", now);
}

static int run(K8sLoop *loop, Lease *lease, Error *err)
{
    int rc = 0;

    while (rc == 0 && !stop_requested()) {
        work(lease);
        rc = k8s_loop_turn(loop, 10, err);
    }
    lease_release(lease);
    while (rc == 0 && !lease_released(lease)) {
        work(lease);
        rc = k8s_loop_turn(loop, 10, err);
    }
    return rc;
}

int main(int argc, char **argv)
{
    K8sConfig config;
    K8sClient *client;
    Error err = {0};

    if (argc != 4)
        return 64;
    log_init(LOG_TEXT, LOG_INFO);
    K8sLoop *loop = k8s_loop_new();
    if (stop_init(&err) || k8s_config_load(argv[1], NULL, &config, &err) ||
        k8s_client_new(loop, &config, "kubeferry-lease-tool", &client, &err)) {
        log_failure("lease-tool", &err);
        return 1;
    }
    LeaseSpec spec = {.namespace_name = argv[2], .name = "contested", .identity = argv[3], .changed = changed};
    Lease *lease = lease_start(client, &spec);
    int rc = run(loop, lease, &err);
    if (rc)
        log_failure("lease-tool", &err);
    lease_free(lease);
    k8s_client_free(client);
    k8s_loop_free(loop);
    k8s_config_free(&config);
    return rc ? 1 : 0;
}
