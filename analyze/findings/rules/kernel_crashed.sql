-- The kernel met something that it cannot do: a page fault, an invalid instruction, a BUG() of its own, or a panic. The first one counts, what comes after it is its consequence.
-- check: error: the kernel has neither panicked nor met a fault of its own
-- rank: 10
-- counted: crash of the kernel, crashes of the kernel
WITH line AS (
  SELECT seq, time_ns, text,
         CASE WHEN text LIKE 'BUG: kernel NULL pointer dereference%' THEN 'null'
              WHEN text LIKE 'BUG: unable to handle%' OR text LIKE 'BUG: KFENCE: %' OR text LIKE 'BUG: KASAN: %' THEN 'fault'
              WHEN text LIKE 'kernel BUG at %' THEN 'bug'
              WHEN text LIKE '%Oops:%' OR text LIKE 'general protection fault%' OR text LIKE 'invalid opcode:%' OR text LIKE 'divide error:%'
                THEN 'oops'
              WHEN text LIKE 'Kernel panic - not syncing: %' THEN 'panic' END AS kind
  FROM log WHERE facility = 0 AND text NOT LIKE 'reboot: %'),
first AS (SELECT seq, time_ns, text, kind FROM line WHERE kind IS NOT NULL ORDER BY seq LIMIT 1),
-- What is printed of it: the lines up to the next such report.
report AS (
  SELECT l.seq, l.text FROM line l, first f
  WHERE l.seq >= f.seq AND l.seq < f.seq + 200
    AND l.seq <= coalesce((SELECT min(e.seq) FROM log e WHERE e.seq > f.seq AND (e.text LIKE '%---[ end %' OR e.text LIKE ' </TASK>')), f.seq + 200)),
said AS (
  SELECT f.seq, f.time_ns, f.text, f.kind,
         (SELECT CAST(between_texts(r.text, 'CPU: ', ' ') AS integer) FROM report r WHERE r.text LIKE 'CPU: % PID: %' ORDER BY r.seq LIMIT 1) AS cpu,
         (SELECT CAST(between_texts(r.text, ' PID: ', ' ') AS integer) FROM report r WHERE r.text LIKE 'CPU: % PID: %' ORDER BY r.seq LIMIT 1) AS pid,
         (SELECT between_texts(r.text, ' Comm: ', ' ') FROM report r WHERE r.text LIKE 'CPU: % PID: %' ORDER BY r.seq LIMIT 1) AS comm,
         (SELECT between_texts(r.text, 'RIP: 0010:', '/') FROM report r WHERE r.text LIKE 'RIP: 0010:%' ORDER BY r.seq LIMIT 1) AS at,
         (SELECT between_texts(r.text, '#PF: ', ' access') FROM report r WHERE r.text LIKE '#PF: % access%' ORDER BY r.seq LIMIT 1) AS access,
         (SELECT group_concat(name, ', ') FROM (
            SELECT between_texts(r.text, ' ', '+0x') AS name FROM report r
            WHERE r.text LIKE ' %+0x%/0x%' AND r.text NOT LIKE ' ? %'
              AND r.seq > (SELECT min(c.seq) FROM report c WHERE c.text LIKE 'Call Trace:%')
              AND between_texts(r.text, ' ', '+0x') NOT IN ('panic', 'vpanic', 'dump_stack_lvl', 'dump_stack', 'nmi_panic', 'die', 'oops_end')
            ORDER BY r.seq LIMIT 4)) AS callers
  FROM first f),
worded AS (
  SELECT *, coalesce((SELECT t.comm FROM task t WHERE t.pid = said.pid AND said.pid != 0), comm, 'a task') || coalesce(' (' || pid || ')', '')
           || coalesce(' on CPU ' || cpu, '') AS who,
         CASE kind WHEN 'null' THEN CASE WHEN access LIKE '% write' THEN 'wrote to NULL'
                                         WHEN access LIKE '% instruction fetch' THEN 'jumped to NULL' ELSE 'read from NULL' END
                   WHEN 'fault' THEN CASE WHEN access LIKE '% write' THEN 'wrote to ' WHEN access LIKE '% instruction fetch' THEN 'jumped to '
                                          ELSE 'read from ' END || coalesce(between_texts(text, 'address: ', ' '), 'a bad address')
                   WHEN 'bug' THEN 'met the kernel''s BUG at ' || between_texts(text, 'kernel BUG at ', '!')
                   WHEN 'oops' THEN 'met ' || text
                   ELSE NULL END AS did
  FROM said)
SELECT 'error' AS severity,
       who AS subject,
       coalesce(did || coalesce(' in ' || at, ''), text) || coalesce('; called by ' || callers, '') AS detail,
       iif(did IS NULL, 'The kernel panicked in ' || who || ': ' || between_texts(text, 'not syncing: ', char(10)),
           who || ' ' || did || coalesce(' in ' || at, '')) ||
         printf(', %.3f s after boot', time_ns / 1e9) || coalesce('; called by ' || callers, '') AS sentence,
       json_array('log', 'cpu:' || cpu, 'task:' || pid) AS explains,
       json_array(json_object('table', 'log', 'seqs', (SELECT json_group_array(seq) FROM (SELECT seq FROM report ORDER BY seq LIMIT 64))),
                  json_object('table', 'cpu', 'cpu', cpu), json_object('table', 'task', 'pid', pid)) AS evidence
FROM worded;
