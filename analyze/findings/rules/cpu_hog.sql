-- A real-time, deadline or stop task has kept its CPU for longer than 200 ms, or any other task for longer than 10 s, while others wait for it; or a real-time or deadline task has its CPU where a task that may use no other has waited for longer than a second (the kernel's deadline servers interrupt it now and then).
-- check: warning: nobody keeps a CPU while others wait for it
-- rank: 22
-- counted: hogged CPU, hogged CPUs
WITH hog AS (
  SELECT c.cpu, c.nr_running AS queued, t.pid, t.comm, t.class, t.policy, t.prio, t.rt_priority, t.last_arrival_ns, t.task_kva,
         (SELECT max(clock_ns) FROM cpu) - t.last_arrival_ns AS ran_ns
  FROM cpu c JOIN task t ON t.task_kva = c.curr_kva
  WHERE c.online = 1 AND t.pid != 0 AND c.nr_running > 1),
victim AS (
  SELECT h.cpu, t.pid, t.comm, t.affinity, max(coalesce(t.waiting_ns, 0), coalesce(t.scx_waiting_ms, 0) * 1000000) AS waited_ns,
         t.affinity = CAST(h.cpu AS text) AS pinned
  FROM hog h JOIN task t ON t.on_rq = 1 AND t.on_cpu = 0 AND t.pid != 0
  WHERE t.affinity = CAST(h.cpu AS text) OR t.cpu = h.cpu AND t.class != 'ext')
SELECT CASE WHEN ran_ns > 10000000000 THEN 'error' ELSE 'warning' END AS severity,
       printf('CPU %d', cpu) AS subject,
       printf('%s (%d) of class %s has it for %.3f s; %d tasks are queued', comm, pid, class,
              ran_ns / 1e9, queued) AS detail,
       printf('%s (%d%s) has had CPU %d for %.3f s', comm, pid,
              CASE policy WHEN 1 THEN printf(', FIFO %d', rt_priority) WHEN 2 THEN printf(', RR %d', rt_priority)
                          WHEN 6 THEN ', DEADLINE' ELSE ', class ' || class END, cpu, max(ran_ns, coalesce(waited_ns, 0)) / 1e9) ||
         CASE WHEN pinned = 0 THEN '' WHEN pinned = 1 THEN printf('; %s (%d) is pinned there', first, first_pid)
              ELSE printf('; %s (%d) and %d more are pinned there', first, first_pid, pinned - 1) END ||
         iif(class IN ('rt', 'dl', 'stop') AND EXISTS (SELECT 1 FROM scx WHERE enable_state = 'enabled'),
             iif(pinned > 0, ': not the scheduler''s fault, ', ': ') || 'its class comes before sched_ext''s', '') AS sentence,
       (SELECT json_group_array(thing) FROM (
          SELECT 'task:' || pid AS thing FROM victim v WHERE v.cpu = h.cpu
          UNION SELECT 'cpu:' || h.cpu
          UNION SELECT 'dsq:' || w.dsq_kva FROM dsq_task w JOIN task t ON t.task_kva = w.task_kva GROUP BY w.dsq_kva
            HAVING sum(t.affinity != CAST(h.cpu AS text) AND w.waiting_ms > 1000) = 0
          UNION SELECT 'scx:' || x.scheduler FROM scx x JOIN victim v ON v.pid = x.oldest_runnable_pid AND v.cpu = h.cpu AND v.pinned))
         AS explains,
       json_array(json_object('table', 'cpu', 'cpu', cpu, 'nr_running', queued),
                  json_object('table', 'task', 'pid', pid, 'last_arrival_ns', last_arrival_ns))
         AS evidence
FROM (SELECT h.*, coalesce(v.pinned, 0) AS pinned, v.waited_ns, v.comm AS first, v.pid AS first_pid FROM hog h LEFT JOIN (
        -- Of several, the row of the longest wait.
        SELECT cpu, sum(pinned) AS pinned, max(iif(pinned, waited_ns, 0)) AS waited_ns, comm, pid FROM victim GROUP BY cpu) v
      ON v.cpu = h.cpu) h
WHERE ran_ns > CASE WHEN class IN ('rt', 'dl', 'stop') THEN 200000000 ELSE 10000000000 END
   OR class IN ('rt', 'dl') AND pinned > 0 AND waited_ns > 1000000000
ORDER BY ran_ns DESC;
