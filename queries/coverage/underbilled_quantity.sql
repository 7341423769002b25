-- coverage: underbilled_quantity
-- unit: billed months of the quarter
-- grain: customer x service x month x currency
-- meaning: billed months with a delivery and a price of a unit
-- reads: facts.fact_monthly
WITH heard AS (
  SELECT DISTINCT service_key FROM facts.fact_monthly WHERE is_delivered AND month BETWEEN $quarter_start AND $last_month
)
SELECT fact.customer_key, fact.service_key, fact.currency,
       CASE WHEN heard.service_key IS NULL THEN 'no_delivery_source'
            WHEN coalesce(fact.price_model, '') NOT IN ('per_unit', 'tiered', 'flat_fee_overage') THEN 'no_unit_price' END AS untested,
       fact.revenue AS money
FROM facts.fact_monthly AS fact
LEFT JOIN heard ON fact.service_key = heard.service_key
WHERE fact.month BETWEEN $quarter_start AND $last_month AND fact.is_billed AND coalesce(fact.price_model, '') <> 'flat_fee'
  AND (fact.is_delivered OR heard.service_key IS NULL)
