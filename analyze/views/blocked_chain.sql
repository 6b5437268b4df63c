-- Every task that waits for a lock whose owner is known, and along the owners whom all wait for.
CREATE VIEW blocked_chain(
  -- Thread that waits.
  pid,
  -- Its name.
  comm,
  -- What it waits for: mutex, rwsem (read), futex, ….
  kind,
  -- The lock's name, or else its address.
  lock,
  -- From it to the last owner: "a (1) -> b (2) -> c (3)".
  chain,
  -- How many owners there are on the way.
  length,
  -- 1 when the chain comes back to a task in it: a deadlock.
  circle,
  -- The last owner's thread id.
  last_pid,
  -- Its name.
  last_comm,
  -- Its state as ps shows it: R when it only needs a CPU.
  last_state,
  -- Function in which the last owner sleeps; NULL when it does not.
  last_wchan,
  -- Address of the waiting thread's task_struct.
  task_kva
) AS
WITH RECURSIVE
owned AS (SELECT * FROM lock_wait WHERE owner_kva IS NOT NULL),
step(task_kva, at, members, chain, length, circle) AS (
  SELECT task_kva, owner_kva, task_kva || owner_kva,
         printf('%s (%s) -> %s (%s)', comm, pid, coalesce(owner_comm, '?'),
                coalesce(owner_pid, '?')),
         1, task_kva = owner_kva
  FROM owned
  UNION ALL
  SELECT s.task_kva, o.owner_kva, s.members || o.owner_kva,
         printf('%s -> %s (%s)', s.chain, coalesce(o.owner_comm, '?'), coalesce(o.owner_pid, '?')),
         s.length + 1, instr(s.members, o.owner_kva) != 0
  FROM step s JOIN owned o ON o.task_kva = s.at
  WHERE s.circle = 0 AND s.length < 64
),
-- The longest chain of each: with max() SQLite gives the row that has it.
whole AS (SELECT task_kva, at, chain, max(length) AS length, circle FROM step GROUP BY task_kva)
SELECT w.pid, w.comm, w.kind, coalesce(w.lock_symbol, w.lock_kva), c.chain, c.length, c.circle,
       t.pid, t.comm, t.state, t.wchan, w.task_kva
FROM whole c
JOIN owned w ON w.task_kva = c.task_kva
LEFT JOIN task t ON t.task_kva = c.at
ORDER BY c.circle DESC, c.length DESC, w.pid;
