-- Seats as the plan counts them, for the month in which the list was taken; facts/usage_list.sql gives each list of the month its days.
WITH subscription AS (
  SELECT *, coalesce("plan.isCommitmentPlan", upper("plan.planName") LIKE 'ANNUAL%') AS is_committed FROM raw
)
SELECT
  'Google' AS provider,
  "customerId" AS customer_native_id,
  "customerDomain" AS customer_native_name,
  "skuId" AS native_sku,
  "skuName" AS native_name,
  "plan.planName" AS line_key,
  CASE
    WHEN coalesce("trialSettings.isInTrial", false) OR upper("plan.planName") = 'TRIAL' THEN 'trial'
    WHEN upper(status) = 'CANCELLED' THEN 'cancelled'
    WHEN upper(status) LIKE '%PENDING' THEN 'pending'
    WHEN upper(status) = 'SUSPENDED' AND NOT is_committed THEN 'suspended'
    ELSE 'usage'
  END AS category,
  'level' AS measure,
  CASE WHEN is_committed THEN "seats.numberOfSeats"
       ELSE least(coalesce("seats.licensedNumberOfSeats", "seats.numberOfSeats"), "seats.maximumNumberOfSeats") END AS quantity,
  'seat' AS unit,
  greatest(date_trunc('month', arrived_at), date_trunc('day', "creationTime")) AS period_start,
  date_trunc('month', arrived_at) + INTERVAL '1 month' AS period_end,
  false AS is_correction,
  source_row
FROM subscription
