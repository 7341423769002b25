-- A subscription is a contract of its own, with whoever has the device.
SELECT
  'subscription:' || id AS contract_id,
  "subscriptionName" AS contract_name,
  "configurationItemID" AS subject_id,
  CASE "periodType" WHEN '2' THEN 'Monthly' WHEN '3' THEN 'Quarterly' WHEN '4' THEN 'Semi-Annual' WHEN '5' THEN 'Yearly' ELSE "periodType" END
    AS billing_cycle,
  CASE status WHEN '1' THEN 'active' ELSE status END AS status,
  date_trunc('day', "effectiveDate") AS effective_from,
  date_trunc('day', "expirationDate") + INTERVAL '1 day' AS effective_to,
  source_row
FROM raw
