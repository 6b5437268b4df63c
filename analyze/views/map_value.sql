-- The values of all BPF maps, with the names of the maps.
CREATE VIEW map_value(
  -- Name of the map.
  map,
  -- Type of the map.
  type,
  -- CPU of a per-CPU value.
  cpu,
  -- The task of a value in task storage.
  pid,
  -- Key, as JSON.
  key,
  -- Value, as JSON.
  value,
  -- Id of the map.
  map_id
) AS
SELECT m.name, m.type, v.cpu, v.pid, v.key, v.value, v.map_id
FROM bpf_map_value v
LEFT JOIN bpf_map m ON m.id = v.map_id;
