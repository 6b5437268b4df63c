-- A structure of the kernel's is damaged, or could not be walked to its end. What a kernel that is
-- newer than this program was tried with no longer has is no damage.
-- check: error: no structure of the kernel's is damaged, and each was walked to its end
-- rank: 90
-- counted: damaged structure, damaged structures
SELECT CASE WHEN kind IN ('cycle', 'damage') THEN 'error' ELSE 'warning' END AS severity,
       printf('%s: %s', walker, kind) AS subject,
       printf('%d times, first at %s: %s', count(*), coalesce(address, 'an unknown place'),
              min(detail)) AS detail,
       json_array(json_object('table', 'anomaly', 'walker', walker, 'kind', kind)) AS evidence
FROM anomaly
-- What is perhaps only torn, since the machine ran while it was read, is no damage; nor is it that
-- the registers of CPUs that ran are not known.
WHERE kind != 'torn'
  AND NOT (kind = 'no registers' AND
           EXISTS (SELECT 1 FROM machine WHERE key = 'ran_while_read' AND value IS NOT NULL))
  AND NOT (kind IN ('no member', 'no symbol') AND
           EXISTS (SELECT 1 FROM machine WHERE key = 'newer_than_tried' AND value IS NOT NULL))
GROUP BY walker, kind
ORDER BY walker, kind;
