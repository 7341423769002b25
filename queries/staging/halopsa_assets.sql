-- Devices as the list of a day shows them.
SELECT
  client_id AS customer_native_id,
  coalesce(assettype_name, assettype_id) AS native_sku,
  'device' AS subject_kind,
  id AS subject_id,
  CASE WHEN inactive THEN 'suspended' ELSE 'active' END AS state,
  CASE WHEN NOT coalesce(inactive, false) THEN coalesce(commissiondate, stock_date) END AS state_since,
  source_row
FROM raw
