-- Microsoft tenants of a company: user-defined fields whose name has "tenant" in it and whose value is a GUID.
WITH field AS (
  SELECT id, source_row, unnest(string_to_array("userDefinedFields", '}')) AS field FROM raw WHERE "userDefinedFields" IS NOT NULL
)
SELECT
  id AS native_id,
  'microsoft_csp' AS other_system,
  lower(regexp_match(field, '"value":"\s*([0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12})\s*"', 'i')[1]) AS other_id,
  source_row
FROM field
WHERE regexp_like(field, '"name":"[^"]*tenant', 'i')
  AND regexp_like(field, '"value":"\s*[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}\s*"', 'i')
