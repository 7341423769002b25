-- Periods of a subscription, each to be posted once. A period lasts until the next one begins.
SELECT
  'subscription:' || "subscriptionID" AS contract_id,
  'period:' || id AS line_id,
  'dated' AS measure,
  'subscription:' || "subscriptionID" AS parent_id,
  CAST(1 AS DECIMAL(38, 18)) AS quantity,
  "periodCost" AS unit_cost,
  "periodPrice" AS amount,
  CASE WHEN "postedDate" IS NOT NULL THEN 'posted'
       WHEN date_trunc('day', "periodDate") < date_trunc('day', arrived_at) THEN 'not_posted' ELSE 'open' END AS status,
  date_trunc('day', "periodDate") AS effective_from,
  source_row
FROM raw
