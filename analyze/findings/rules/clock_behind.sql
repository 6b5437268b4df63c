-- The clock of a run queue that has work is more than a second behind: its CPU has not scheduled or ticked since.
-- check: warning: no run queue's clock is more than a second behind
-- rank: 50
-- counted: CPU whose clock stands still, CPUs whose clocks stand still
SELECT CASE WHEN clock_behind_ns > 10000000000 THEN 'error' ELSE 'warning' END AS severity,
       printf('CPU %d', cpu) AS subject,
       printf('runs %s (%d), and its run queue''s clock is %.3f s behind that of other CPUs',
              curr_comm, curr_pid, clock_behind_ns / 1e9) AS detail,
       json_array(json_object('table', 'cpu', 'cpu', cpu, 'clock_ns', clock_ns, 'clock_behind_ns',
                              clock_behind_ns)) AS evidence
FROM cpu
WHERE curr_kva != idle_kva AND clock_behind_ns > 1000000000
ORDER BY clock_behind_ns DESC;
