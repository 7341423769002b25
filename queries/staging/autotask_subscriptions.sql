-- What a device's subscription costs a period; its periods are listed by their own export.
SELECT
  'subscription:' || id AS contract_id,
  'subscription:' || id AS line_id,
  'price' AS measure,
  'material:' || "materialCodeID" AS native_sku,
  "subscriptionName" AS native_name,
  "periodPrice" AS unit_price,
  "periodCost" AS unit_cost,
  CASE "periodType" WHEN '2' THEN 'Monthly' WHEN '3' THEN 'Quarterly' WHEN '4' THEN 'Semi-Annual' WHEN '5' THEN 'Yearly' ELSE "periodType" END
    AS billing_cycle,
  CASE status WHEN '1' THEN 'active' ELSE status END AS status,
  date_trunc('day', "effectiveDate") AS effective_from,
  date_trunc('day', "expirationDate") + INTERVAL '1 day' AS effective_to,
  source_row
FROM raw
