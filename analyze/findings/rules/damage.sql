-- A structure of the kernel's is damaged, or could not be walked to its end.
-- check: error: no structure of the kernel's is damaged, and each was walked to its end
SELECT CASE WHEN kind IN ('cycle', 'damage') THEN 'error' ELSE 'warning' END AS severity,
       printf('%s: %s', walker, kind) AS subject,
       printf('%d times, first at %s: %s', count(*), coalesce(address, 'an unknown place'),
              min(detail)) AS detail,
       json_array(json_object('table', 'anomaly', 'walker', walker, 'kind', kind)) AS evidence
FROM anomaly
GROUP BY walker, kind
ORDER BY walker, kind;
