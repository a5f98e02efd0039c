-- The ledger, version 3: made in the sink when it is missing, and brought up to date when it is older (version 1 has no
-- table share, version 2 none for the cutover). Several statements, run in one transaction; each may be run again.
CREATE SCHEMA IF NOT EXISTS kubeferry;
COMMENT ON SCHEMA kubeferry IS 'bookkeeping of kubeferry migrations; removed by cleanup';
CREATE TABLE IF NOT EXISTS kubeferry.version (version integer NOT NULL);
INSERT INTO kubeferry.version SELECT 3 WHERE NOT EXISTS (SELECT 1 FROM kubeferry.version);
CREATE TABLE IF NOT EXISTS kubeferry.task (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    name text NOT NULL UNIQUE,
    source_system text NOT NULL,
    source_database text NOT NULL,
    slot text NOT NULL,
    slot_state text NOT NULL DEFAULT 'none' CHECK (slot_state IN ('none', 'creating', 'ready')),
    publication text NOT NULL,
    publication_made boolean NOT NULL DEFAULT false,
    consistent_point pg_lsn,
    structure_done boolean NOT NULL DEFAULT false,
    data_done boolean NOT NULL DEFAULT false,
    finished boolean NOT NULL DEFAULT false,
    owner text NOT NULL,
    created_at timestamptz NOT NULL DEFAULT pg_catalog.now()
);
CREATE TABLE IF NOT EXISTS kubeferry.relation (
    task bigint NOT NULL REFERENCES kubeferry.task ON DELETE CASCADE,
    relation integer NOT NULL,
    source_oid oid NOT NULL,
    schema_name text NOT NULL,
    table_name text NOT NULL,
    state text NOT NULL DEFAULT 'waiting' CHECK (state IN ('waiting', 'copied', 'done')),
    snapshot_lsn pg_lsn,
    chunks_left integer NOT NULL DEFAULT 0,
    rows bigint NOT NULL DEFAULT 0,
    bytes bigint NOT NULL DEFAULT 0,
    columns text,
    PRIMARY KEY (task, relation),
    UNIQUE (task, source_oid)
);
CREATE TABLE IF NOT EXISTS kubeferry.chunk (
    task bigint NOT NULL,
    relation integer NOT NULL,
    chunk integer NOT NULL,
    first_block bigint NOT NULL,
    end_block bigint NOT NULL,
    whole boolean NOT NULL,
    bytes bigint NOT NULL,
    done boolean NOT NULL DEFAULT false,
    PRIMARY KEY (task, relation, chunk),
    FOREIGN KEY (task, relation) REFERENCES kubeferry.relation ON DELETE CASCADE
);
CREATE INDEX IF NOT EXISTS chunk_queue ON kubeferry.chunk (task, relation, chunk) WHERE NOT done;
CREATE TABLE IF NOT EXISTS kubeferry.progress (
    task bigint PRIMARY KEY REFERENCES kubeferry.task ON DELETE CASCADE,
    lsn pg_lsn NOT NULL,
    commit_time timestamptz,
    transactions bigint NOT NULL DEFAULT 0,
    changes bigint NOT NULL DEFAULT 0
) WITH (fillfactor = 50);
CREATE TABLE IF NOT EXISTS kubeferry.barrier (
    task bigint PRIMARY KEY REFERENCES kubeferry.task ON DELETE CASCADE,
    state text NOT NULL,
    target_lsn pg_lsn,
    snapshot text,
    changed_at timestamptz NOT NULL DEFAULT pg_catalog.clock_timestamp()
);
CREATE TABLE IF NOT EXISTS kubeferry.object (
    task bigint NOT NULL REFERENCES kubeferry.task ON DELETE CASCADE,
    identity text NOT NULL,
    state text NOT NULL CHECK (state IN ('made', 'held', 'left out')),
    reason text,
    statement text,
    PRIMARY KEY (task, identity)
);
CREATE TABLE IF NOT EXISTS kubeferry.share (
    task bigint PRIMARY KEY REFERENCES kubeferry.task ON DELETE CASCADE,
    owner text NOT NULL,
    state text NOT NULL CHECK (state IN ('copying', 'copied')),
    snapshot text NOT NULL
);
-- The cutover process asks (state, target_lsn), the cdc process answers (answered_lsn = that target, late_*).
-- restore: what default_transaction_read_only of the source's database had before it was changed; '' nothing; NULL: it is
-- as it was. reopen: the same for the sink, when an earlier cutover in the other direction has left it read-only. reverse:
-- a way back was made, or was about to be. finished: what comes after the switch is done, too.
CREATE TABLE IF NOT EXISTS kubeferry.cutover (
    task bigint PRIMARY KEY REFERENCES kubeferry.task ON DELETE CASCADE,
    state text NOT NULL CHECK (state IN ('preparing', 'draining', 'checking', 'done', 'undone')),
    owner text NOT NULL,
    target_lsn pg_lsn,
    answered_lsn pg_lsn,
    late_changes bigint NOT NULL DEFAULT 0,
    late_relation text,
    restore text,
    reopen text,
    reverse boolean NOT NULL DEFAULT false,
    finished boolean NOT NULL DEFAULT false,
    started_at timestamptz NOT NULL DEFAULT pg_catalog.clock_timestamp(),
    blocked_at timestamptz,
    done_at timestamptz,
    changed_at timestamptz NOT NULL DEFAULT pg_catalog.clock_timestamp()
);
-- The last verification of each task.
CREATE TABLE IF NOT EXISTS kubeferry.verification (
    task bigint PRIMARY KEY REFERENCES kubeferry.task ON DELETE CASCADE,
    finished_at timestamptz NOT NULL,
    lsn pg_lsn,
    sample double precision NOT NULL,
    tables bigint NOT NULL,
    rows bigint NOT NULL,
    differences bigint NOT NULL
);
-- Tables that a verification which has not come to its end has found equal.
CREATE TABLE IF NOT EXISTS kubeferry.verified (
    task bigint NOT NULL REFERENCES kubeferry.task ON DELETE CASCADE,
    schema_name text NOT NULL,
    table_name text NOT NULL,
    sample integer NOT NULL,
    rows bigint NOT NULL,
    PRIMARY KEY (task, schema_name, table_name)
);
UPDATE kubeferry.version SET version = 3 WHERE version < 3;
