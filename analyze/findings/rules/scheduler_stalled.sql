-- A sched_ext scheduler has stopped dispatching: none of its tasks has got a CPU for longer than half a second, while tasks wait for it and a CPU that one of them may use idles or only keeps its task. Silent where higher classes have all those CPUs, where a CPU stands still in the kernel, where the kernel schedules in its stead, and where all who wait are of one cgroup that it may only starve.
-- check: error: every sched_ext scheduler that tasks wait for dispatches
-- when: SELECT 1 FROM scx
-- rank: 30
-- counted: stalled scheduler, stalled schedulers
WITH now AS (SELECT max(clock_ns) AS ns FROM cpu),
-- Of a CPU the only task that has come to it in the last half second, and wants it still, while one of a higher class
-- ran there: the kernel keeps a task that is interrupted at the head of the CPU's own queue, and lets it go on without
-- anybody dispatching it. Sure where the interrupting task is the one that came just before.
recent AS (
  SELECT t.task_kva, t.cpu, t.class, t.on_rq, t.last_arrival_ns FROM task t
  WHERE t.pid != 0 AND t.last_arrival_ns > (SELECT ns FROM now) - 500000000),
alone AS (
  SELECT cpu FROM recent GROUP BY cpu
  HAVING sum(class = 'ext') = 1 AND sum(class IN ('stop', 'dl', 'rt')) > 0),
returned AS (
  SELECT r.task_kva, (SELECT h.class FROM recent h WHERE h.cpu = r.cpu AND h.last_arrival_ns < r.last_arrival_ns
                      ORDER BY h.last_arrival_ns DESC LIMIT 1) IN ('stop', 'dl', 'rt') AS sure
  FROM recent r JOIN alone USING (cpu) WHERE r.class = 'ext' AND r.on_rq = 1),
candidate AS (
  SELECT x.scheduler, n.name, x.watchdog_margin_ms AS margin_ms, x.exit_kind,
         (SELECT ns FROM now) - max(t.last_arrival_ns) AS since_ns
  FROM scx x JOIN scheduler_name n USING (scheduler)
  JOIN task t ON t.class = 'ext' AND t.pid != 0 AND coalesce(t.scx_scheduler, x.scheduler) = x.scheduler
    AND t.task_kva NOT IN (SELECT task_kva FROM returned)
  WHERE coalesce(x.bypass_depth, 0) = 0 AND (x.enable_state = 'enabled' OR x.exit_kind = 'error_stall')
  GROUP BY x.scheduler),
waiter AS (
  SELECT c.scheduler, t.pid, t.comm, t.affinity, t.scx_waiting_ms, q.dsq_kva, q.dsq_id, q.cpu AS dsq_cpu
  FROM candidate c JOIN task t ON t.class = 'ext' AND t.pid != 0 AND t.on_rq = 1 AND t.on_cpu = 0
    AND coalesce(t.scx_scheduler, c.scheduler) = c.scheduler
  LEFT JOIN dsq_task w ON w.task_kva = t.task_kva
  LEFT JOIN dsq q ON q.dsq_kva = w.dsq_kva
  -- Those in a CPU's own queue have been dispatched.
  WHERE c.since_ns > 500000000 AND q.kind IS NOT 'local'),
place AS (
  SELECT w.scheduler, c.cpu, t.comm, t.pid, c.curr_kva = c.idle_kva AS idle
  FROM (SELECT DISTINCT scheduler, affinity FROM waiter) w
  JOIN cpu c ON c.online = 1 AND cpu_in_list(w.affinity, c.cpu)
  LEFT JOIN task t ON t.task_kva = c.curr_kva
  WHERE (c.curr_kva = c.idle_kva OR t.class = 'ext' AND coalesce(c.clock_behind_ns, 0) < 500000000)
    AND NOT EXISTS (SELECT 1 FROM scx_cpu s WHERE s.scheduler = w.scheduler AND s.cpu = c.cpu
                    AND s.caps NOT LIKE '%enq%')
  GROUP BY w.scheduler, c.cpu),
stalled AS (
  SELECT c.*, (SELECT count(*) FROM waiter w WHERE w.scheduler = c.scheduler) AS waiters,
         (SELECT max(scx_waiting_ms) FROM waiter w WHERE w.scheduler = c.scheduler) AS longest_ms
  FROM candidate c
  WHERE EXISTS (SELECT 1 FROM place p WHERE p.scheduler = c.scheduler)
    -- Nobody else was there to be dispatched: dsq_unconsumed.
    AND c.scheduler NOT IN (SELECT scheduler FROM starved_cgroup)
    AND (SELECT max(scx_waiting_ms) FROM waiter w WHERE w.scheduler = c.scheduler) > 500)
SELECT 'error' AS severity, 'scheduler ' || name AS subject,
       said || iif(switches IS NULL, '', '; its ' || switches) AS detail,
       'The scheduler ' || name || ' ' || said || iif(switches IS NULL, '', '; its ' || switches) AS sentence,
       iif(EXISTS (SELECT 1 FROM returned WHERE sure IS NOT 1), 'likely', 'certain') AS certainty, explains, evidence
FROM (
  SELECT name,
         printf('has dispatched nothing for %.3f s: ', since_ns / 1e9) ||
         (SELECT group_concat(printf('%d task%s in %s', n, iif(n = 1, '', 's'), place), ', ')
          FROM (SELECT count(*) AS n, coalesce('DSQ ' || dsq_name(dsq_id, dsq_cpu), 'its own hands') AS place
                FROM waiter w WHERE w.scheduler = s.scheduler GROUP BY dsq_kva
                ORDER BY count(*) DESC, dsq_id LIMIT 4)) ||
         coalesce((SELECT iif(count(*) = 1, ', CPU ' || min(cpu) || ' idles',
                              iif(count(*) > 4, printf(', %d CPUs idle', count(*)),
                                  ', CPUs ' || group_concat(cpu, ', ') || ' idle'))
                   FROM (SELECT cpu FROM place p WHERE p.scheduler = s.scheduler AND idle ORDER BY cpu)
                   HAVING count(*) > 0), '') ||
         coalesce((SELECT iif(count(*) = 1, printf(', CPU %d only keeps %s (%d)', min(cpu), min(comm), min(pid)),
                              printf(', %d CPUs only keep their tasks', count(*)))
                   FROM place p WHERE p.scheduler = s.scheduler AND NOT idle HAVING count(*) > 0), '') ||
         CASE WHEN exit_kind = 'error_stall' THEN '; the watchdog has ended it'
              WHEN margin_ms > 0 THEN printf('; the watchdog strikes in %.3f s', margin_ms / 1e3)
              WHEN margin_ms <= 0 THEN printf('; the watchdog is overdue by %.3f s', -margin_ms / 1e3)
              ELSE '' END AS said,
         -- Variables that begin as 0 and are 1. Whose they are is only known where there is one object.
         (SELECT iif(count(*) = 1, 'variable ', 'variables ') || group_concat(name || ' = 1', ', ')
          FROM (SELECT trim(key, '"') AS name FROM map_value
                WHERE map LIKE '%.bss' AND value IN ('1', 'true') AND key LIKE '"%'
                  AND (SELECT count(DISTINCT map_id) FROM map_value WHERE map LIKE '%.bss') = 1
                ORDER BY name LIMIT 3)
          WHERE name NOT LIKE 'nr%' AND name NOT LIKE '%count%' AND name NOT LIKE 'num%'
          HAVING count(*) > 0) AS switches,
         (SELECT json_group_array(thing) FROM (
            SELECT 'task:' || pid AS thing FROM waiter w WHERE w.scheduler = s.scheduler
            UNION SELECT 'dsq:' || dsq_kva FROM waiter w WHERE w.scheduler = s.scheduler AND dsq_kva IS NOT NULL
            UNION SELECT 'cpu:' || cpu FROM place p WHERE p.scheduler = s.scheduler
            UNION SELECT 'scx:' || s.scheduler)) AS explains,
         json_array(json_object('table', 'scx', 'scheduler', scheduler),
                    json_object('table', 'task', 'pids',
                                (SELECT json_group_array(pid) FROM waiter w WHERE w.scheduler = s.scheduler))) AS evidence
  FROM stalled s);
