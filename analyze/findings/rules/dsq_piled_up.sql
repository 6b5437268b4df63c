-- Tasks have stood in one dispatch queue for longer than a second.
-- check: warning: no task has stood in a dispatch queue for longer than a second
-- when: SELECT 1 FROM scx
-- counted: long queue, long queues
SELECT CASE WHEN max(t.waiting_ms) > 10000 THEN 'error' ELSE 'warning' END AS severity,
       'DSQ ' || dsq_name(q.dsq_id) || coalesce(' of CPU ' || q.cpu, '') ||
         coalesce((SELECT ' of scheduler ' || n.name FROM scheduler_name n WHERE n.scheduler = q.scheduler AND n.level > 0), '')
         AS subject,
       printf('%d task%s in this %s queue, the first for %.3f s', count(*), iif(count(*) = 1, ' waits', 's wait'),
              q.kind, max(t.waiting_ms) / 1e3) AS detail,
       json_array(json_object('table', 'dsq', 'dsq_kva', q.dsq_kva, 'nr', q.nr),
                  json_object('table', 'dsq_task', 'dsq_kva', q.dsq_kva, 'pids',
                              json_group_array(t.pid))) AS evidence
FROM dsq q JOIN dsq_task t ON t.dsq_kva = q.dsq_kva
GROUP BY q.dsq_kva
HAVING max(t.waiting_ms) > 1000
ORDER BY max(t.waiting_ms) DESC;
