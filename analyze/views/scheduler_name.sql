-- What each sched_ext scheduler is called, where there may be several of one name.
CREATE VIEW scheduler_name(
  -- Number in table scx.
  scheduler,
  -- 0 for the root scheduler, deeper for sub-schedulers; NULL up to 6.15.
  level,
  -- Its own name, and of a sub-scheduler the cgroup: 'qmap of cgroup /a/b'.
  name
) AS
SELECT scheduler, level,
       coalesce(ops_name, '(unloaded)') || iif(level > 0, ' of cgroup ' || coalesce(cgroup, '?'), '')
FROM scx;
