-- The Microsoft tenant, kept by hand in a custom field: a GUID, or a link with one, under a caption with "tenant" in it.
WITH named AS (SELECT id, unnest(guids_under("customFields", 'tenant')) AS tenant, source_row FROM raw)
SELECT id AS native_id, 'microsoft_csp' AS other_system, tenant AS other_id, min(source_row) AS source_row
FROM named
GROUP BY id, tenant
