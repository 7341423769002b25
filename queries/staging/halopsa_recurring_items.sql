-- Items that a client is charged for every month without a recurring invoice of its own.
SELECT
  'items:' || client_id AS contract_id,
  'item:' || id AS line_id,
  coalesce(item_code, item_id) AS native_sku,
  item_name AS native_name,
  quantity,
  sellingprice AS unit_price,
  costprice AS unit_cost,
  CASE WHEN dontinvoice THEN 'DoNotBill' ELSE 'Billable' END AS status,
  coalesce(startdate, date_trunc('month', arrived_at)) AS effective_from,
  date_trunc('day', enddate) + INTERVAL '1 day' AS effective_to,
  source_row
FROM raw
