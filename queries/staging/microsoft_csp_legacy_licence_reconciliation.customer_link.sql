-- The tenant's domain: evidence for suggestions of its customer.
SELECT native_id, 'domain' AS other_system, other_id, min(source_row) AS source_row
FROM (
  SELECT CASE WHEN lower("CustomerId") LIKE 'org:%' THEN substr("CustomerId", 5) ELSE "CustomerId" END AS native_id,
         lower(trim("DomainName")) AS other_id, source_row
  FROM raw
)
WHERE other_id <> ''
GROUP BY native_id, other_id
