-- Seats that a vendor holds ready in the month of the list.
SELECT
  coalesce(vendor, distributor, 'HaloPSA') AS provider,
  client_id AS customer_native_id,
  coalesce(product_sku, vendor_product_sku, name) AS native_sku,
  name AS native_name,
  id AS subject_id,
  billing_cycle AS line_key,
  CASE WHEN coalesce(deleted, false) OR NOT coalesce(is_active, true) THEN 'cancelled' ELSE 'entitled' END AS category,
  'level' AS measure,
  "count" AS quantity,
  purchase_price AS unit_cost,
  currency_code_name AS currency,
  date_trunc('month', arrived_at) AS period_start,
  date_trunc('month', arrived_at) + INTERVAL '1 month' AS period_end,
  false AS is_correction,
  source_row
FROM raw
