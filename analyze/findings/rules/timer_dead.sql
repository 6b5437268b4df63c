-- Tasks wait for a sched_ext scheduler that has dispatched nothing for longer than half a second, and a BPF timer that has a callback is neither armed nor running: a scheduler that decides by its timer waits for one that will not come.
-- check: error: no scheduler that tasks wait for has a timer that is not armed
-- when: SELECT 1 FROM scx
-- rank: 26
-- counted: timer that is not armed, timers that are not armed
WITH now AS (SELECT max(clock_ns) AS ns FROM cpu),
stalled AS (
  SELECT x.scheduler, n.name, (SELECT ns FROM now) - max(t.last_arrival_ns) AS since_ns,
         sum(t.on_rq = 1 AND t.on_cpu = 0 AND t.scx_waiting_ms > 500) AS waiters
  FROM scx x JOIN scheduler_name n USING (scheduler)
  JOIN task t ON t.class = 'ext' AND t.pid != 0 AND coalesce(t.scx_scheduler, x.scheduler) = x.scheduler
  WHERE x.enable_state = 'enabled' AND coalesce(x.bypass_depth, 0) = 0
  GROUP BY x.scheduler
  HAVING since_ns > 500000000 AND waiters > 0)
SELECT 'error' AS severity,
       'scheduler ' || s.name AS subject,
       printf('the timer of its map %s is not armed (callback %s), and it has dispatched nothing for %.3f s; %d task%s', v.map,
              v.callback, s.since_ns / 1e9, s.waiters, iif(s.waiters = 1, ' waits', 's wait')) AS detail,
       printf('The timer of the scheduler %s (map %s, callback %s) is not armed, and the scheduler has dispatched nothing for %.3f s: %d task%s',
              s.name, v.map, v.callback, s.since_ns / 1e9, s.waiters, iif(s.waiters = 1, ' waits', 's wait')) AS sentence,
       'likely' AS certainty,
       json_array('scx:' || s.scheduler) AS explains,
       json_array(json_object('table', 'scx', 'scheduler', s.scheduler),
                  json_object('table', 'bpf_map_value', 'map_id', v.map_id)) AS evidence
FROM stalled s,
     (SELECT map, map_id, between_texts(value, '"callback":"', '"') AS callback FROM map_value
      WHERE value LIKE '%"armed":false%' AND value LIKE '%"callback":"%' AND value NOT LIKE '%"running":true%'
      GROUP BY map_id) v
-- Of timers that others have armed nothing follows.
WHERE NOT EXISTS (SELECT 1 FROM map_value o WHERE o.map_id = v.map_id AND o.value LIKE '%"armed":true%');
