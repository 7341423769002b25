-- Ids of the same customer elsewhere: integrations fill a field each; a Microsoft tenant also stands in the list of tenants or in a custom
-- field whose caption has "tenant" in it.
WITH stated AS (
  SELECT id, 'connectwise' AS other_system, connectwiseid AS other_id, source_row FROM raw
  UNION ALL SELECT id, 'autotask', autotaskid, source_row FROM raw
  UNION ALL SELECT id, 'xero', xeroid, source_row FROM raw
  UNION ALL SELECT id, 'quickbooks', qboid, source_row FROM raw
  UNION ALL SELECT id, 'stripe', stripe_customer_id, source_row FROM raw
  UNION ALL SELECT id, 'microsoft_csp', unnest(guids_under(azure_tenant_id, '')), source_row FROM raw
  UNION ALL SELECT id, 'microsoft_csp', unnest(guids_under(azure_tenants, '')), source_row FROM raw
  UNION ALL SELECT id, 'microsoft_csp', unnest(guids_under(customfields, 'tenant')), source_row FROM raw
)
SELECT id AS native_id, other_system, other_id, min(source_row) AS source_row
FROM stated
WHERE other_id IS NOT NULL AND other_id NOT IN ('', '0', '-1')
GROUP BY id, other_system, other_id
