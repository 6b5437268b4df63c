-- Tasks could run, and wait because a cgroup that they are in has used up its quota of CPU time: what its owner asked for, and no fault of a scheduler's. A warning where one has waited for longer than a second.
-- check: info: no task waits for the quota of its cgroup
-- rank: 28
-- counted: used up quota, used up quotas
WITH RECURSIVE full AS (
  SELECT path, cpu_max, throttled_cpus FROM cgroup WHERE coalesce(throttled_cpus, '') != '' AND hierarchy = 0),
held AS (
  SELECT f.path, f.cpu_max, f.throttled_cpus, t.pid, t.comm,
         max(coalesce(t.waiting_ns, 0), coalesce(t.scx_waiting_ms, 0) * 1000000) AS wait_ns
  FROM full f JOIN task t ON t.pid != 0 AND t.class = 'fair' AND t.on_cpu = 0 AND (t.on_rq = 1 OR t.throttled = 1)
    AND (t.cgroup = f.path OR substr(t.cgroup, 1, length(f.path) + 1) = f.path || '/')
    AND cpu_in_list(f.throttled_cpus, t.cpu))
SELECT iif(max(wait_ns) > 1000000000, 'warning', 'info') AS severity,
       'cgroup ' || path AS subject,
       printf('its quota (cpu.max %s) is used up on CPUs %s; %d task%s, the first for %.3f s', cpu_max, throttled_cpus,
              count(*), iif(count(*) = 1, ' waits', 's wait'), max(wait_ns) / 1e9) AS detail,
       printf('The cgroup %s has used up its quota (cpu.max %s): %s for it, the first for %.3f s; not the scheduler''s fault',
              path, cpu_max, iif(count(*) = 1, printf('%s (%d) waits', comm, pid), printf('%s (%d) and %d more wait', comm, pid, count(*) - 1)),
              max(wait_ns) / 1e9) AS sentence,
       json_group_array('task:' || pid) AS explains,
       json_array(json_object('table', 'cgroup', 'path', path, 'cpu_max', cpu_max, 'throttled_cpus', throttled_cpus),
                  json_object('table', 'task', 'pids', json_group_array(pid))) AS evidence
FROM held
GROUP BY path
ORDER BY max(wait_ns) DESC;
