-- A synchronised user names the Microsoft tenant of its client.
WITH named AS (SELECT client_id, unnest(guids_under(azure_tenant_id, '')) AS tenant, source_row FROM raw)
SELECT client_id AS native_id, 'microsoft_csp' AS other_system, tenant AS other_id, min(source_row) AS source_row
FROM named
GROUP BY client_id, tenant
