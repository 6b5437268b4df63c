-- What BPF programs keep about tasks: values of task storage, what pointers in them lead to in arenas, and values of hashes by pid, which are taken for such when the map's name speaks of tasks, threads or pids.
CREATE VIEW task_context(
  -- The task.
  pid,
  -- Its name; NULL when no task has that address.
  comm,
  -- Address of its task_struct.
  task_kva,
  -- Name of the map.
  map,
  -- Value, as JSON.
  value,
  -- Address of the value.
  value_kva,
  -- CPU of a per-CPU value.
  cpu,
  -- Id of the map.
  map_id
) AS
SELECT coalesce(v.pid, t.pid), coalesce(t.comm, s.comm), coalesce(v.task_kva, t.task_kva), m.name, v.value,
       v.value_kva, v.cpu, m.id
FROM bpf_map m
JOIN bpf_map_value v ON v.map_id = m.id
LEFT JOIN task t ON m.type NOT IN ('task_storage', 'arena') AND t.pid = CAST(v.key AS INTEGER) AND t.pid <> 0
LEFT JOIN task s ON m.type IN ('task_storage', 'arena') AND s.task_kva = v.task_kva
WHERE m.type = 'task_storage'
   OR (m.type = 'arena' AND v.pid IS NOT NULL)
   OR (m.type IN ('hash', 'lru_hash', 'percpu_hash', 'lru_percpu_hash') AND m.key_size = 4
       AND v.key GLOB '[0-9]*' AND v.key NOT GLOB '*[^0-9]*'
       AND (m.name LIKE '%task%' OR m.name LIKE '%thread%' OR m.name LIKE '%pid%' OR m.name LIKE '%tid%')
       AND t.pid IS NOT NULL);
