-- The kernel log tells of a panic, an oops, a bug, a stall or a hung task.
-- check: error: the kernel log tells of no panic, oops, bug, stall or hung task
-- rank: 70
-- counted: report in the log, reports in the log
SELECT 'error' AS severity,
       'kernel log' AS subject,
       printf(iif(count(*) = 1, '%d line, after %.3f s: %s',
                  '%d such lines, the first after %.3f s: %s'),
              count(*), min(time_ns) / 1e9, text) AS detail,
       json_array(json_object('table', 'log', 'seqs', json_group_array(seq))) AS evidence
FROM (SELECT * FROM log
      WHERE facility = 0 AND text NOT LIKE 'reboot: %' AND (level <= 1 OR text LIKE 'Kernel panic%' OR text LIKE '%Oops:%'
        OR text LIKE 'BUG:%' OR text LIKE '%BUG: %' OR text LIKE 'INFO: task % blocked for more%'
        OR text LIKE '%detected stalls on CPUs%')
      ORDER BY seq)
HAVING count(*) > 0;
