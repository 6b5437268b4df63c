-- The stack of every task in one row, folded as flame graphs take it.
CREATE VIEW task_stack(
  -- Thread id; 0 for idle tasks.
  pid,
  -- Its name.
  comm,
  -- State as ps shows it.
  state,
  -- CPU it runs on or ran on last.
  cpu,
  -- 1 while it is executing.
  on_cpu,
  -- Name and functions, outermost first, with ; between them.
  folded,
  -- How many frames.
  frames,
  -- How the stack ends.
  end,
  -- Address of its task_struct.
  task_kva
) AS
SELECT t.pid, t.comm, t.state, t.cpu, t.on_cpu,
       t.comm || coalesce((SELECT ';' || group_concat(symbol, ';')
                           FROM (SELECT coalesce(symbol, ip, '?') AS symbol FROM stack_frame f
                                 WHERE f.task_kva = t.task_kva AND f.kind != 'end'
                                 ORDER BY f.depth DESC)), ''),
       (SELECT count(*) FROM stack_frame f WHERE f.task_kva = t.task_kva AND f.kind != 'end'),
       (SELECT f.reason || coalesce(': ' || f.detail, '') FROM stack_frame f
        WHERE f.task_kva = t.task_kva AND f.kind = 'end'),
       t.task_kva
FROM task t
ORDER BY t.on_cpu DESC, t.pid, t.cpu;
