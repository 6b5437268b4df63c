-- A task that holds a lock for which others wait could run, and has waited for a CPU for longer than 50 ms. Where all who wait have a higher priority than the task that runs in its place, and the lock lends it none, that is a priority inversion.
-- check: warning: nobody who holds a lock that others wait for waits for a CPU
-- rank: 46
-- counted: holder of a lock who waits for a CPU, holders of locks who wait for a CPU
WITH held AS (
  SELECT l.lock_kva, l.kind, coalesce(l.lock_symbol, l.lock_kva) AS lock, l.owner_kva, count(*) AS waiters,
         min(t.prio) AS waiter_prio, json_group_array(l.pid) AS pids, min(l.pid) AS first_pid,
         min(t.comm) AS first_comm
  FROM lock_wait l JOIN task t ON t.task_kva = l.task_kva
  WHERE l.owner_kva IS NOT NULL
  GROUP BY l.lock_kva, l.owner_kva),
found AS (
  SELECT h.*, o.pid, o.comm, o.prio, o.cpu, o.waiting_ns AS ran_queue_ns,
         max(coalesce(o.waiting_ns, 0), coalesce(o.scx_waiting_ms, 0) * 1000000) AS wait_ns,
         r.pid AS curr_pid, r.comm AS curr_comm, r.prio AS curr_prio, c.curr_kva = c.idle_kva AS idle
  FROM held h JOIN task o ON o.task_kva = h.owner_kva AND o.on_rq = 1 AND o.on_cpu = 0
  LEFT JOIN cpu c ON c.cpu = o.cpu LEFT JOIN task r ON r.task_kva = c.curr_kva)
SELECT 'warning' AS severity,
       printf('%s (%d)', comm, pid) AS subject, what AS detail,
       printf('%s (%d) ', comm, pid) || what AS sentence,
       json_array('task:' || pid) AS explains,
       json_array(json_object('table', 'task', 'pid', pid),
                  json_object('table', 'lock_wait', 'lock_kva', lock_kva, 'pids', json(pids))) AS evidence
FROM (SELECT *, printf('holds the %s %s, for which %s, and has waited for a CPU for %.3f s', kind, lock,
                       iif(waiters = 1, printf('%s (%d) waits', first_comm, first_pid), printf('%d tasks wait', waiters)),
                       wait_ns / 1e9) ||
                CASE WHEN idle THEN printf('; CPU %d idles', cpu)
                     WHEN curr_pid IS NULL THEN ''
                     WHEN waiter_prio < curr_prio AND curr_prio < prio THEN
                       printf('; CPU %d runs %s (%d) in its place: a priority inversion', cpu, curr_comm, curr_pid)
                     ELSE printf('; CPU %d runs %s (%d) in its place', cpu, curr_comm, curr_pid) END AS what
      FROM found WHERE wait_ns > 50000000)
ORDER BY waiters DESC;
