// SPDX-License-Identifier: Apache-2.0
// Checks that one SQL statement cannot make.
#pragma once

#include "engine/precheck/check.h"

CheckFunction check_source_connection, check_sink_connection; // connect, and keep the connection
CheckFunction check_source_tls, check_sink_tls;
CheckFunction check_source_version, check_sink_version, check_version_order;
CheckFunction check_pg_dump;
CheckFunction check_replication_connection;
CheckFunction check_same_database;
CheckFunction check_clocks;
CheckFunction check_tables;    // loads the list of tables
CheckFunction check_sink_task; // reads the ledger, learns what the sink has
CheckFunction check_sink_empty;
CheckFunction check_sink_columns;
CheckFunction check_replication_role;
CheckFunction check_reverse_triggers;
