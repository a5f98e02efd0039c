-- Tables whose rows this task has put there, wholly or in part. $1 the task's name. Only when the ledger exists.
SELECT r.source_oid FROM kubeferry.relation r JOIN kubeferry.task t ON t.id = r.task
 WHERE t.name = $1::text AND (r.state <> 'waiting' OR r.snapshot_lsn IS NOT NULL);
