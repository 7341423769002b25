-- coverage: discount_creep
-- unit: customers and services billed in the quarter
-- grain: customer x service x currency
-- meaning: pairs with a series of at least $min_months months in the window; only where units have a price in a contract
-- reads: facts.fact_monthly, facts.trend_input, facts.contract_segment, facts.terms_month
WITH heard AS (
  SELECT DISTINCT true AS is_there FROM (SELECT from_day FROM facts.contract_segment UNION ALL SELECT month FROM facts.terms_month)
),
pair AS (
  SELECT customer_key, service_key, currency, sum(revenue) AS money
  FROM facts.fact_monthly
  WHERE month BETWEEN $quarter_start AND $last_month AND is_billed
  GROUP BY customer_key, service_key, currency
),
series AS (
  SELECT customer_key, service_key, currency, count(*) AS months
  FROM facts.trend_input WHERE billed_by_contract IS NOT NULL
  GROUP BY customer_key, service_key, currency
)
SELECT pair.customer_key, pair.service_key, pair.currency,
       CASE WHEN series.months >= $min_months THEN NULL
            WHEN heard.is_there IS NULL THEN 'no_contract_source'
            ELSE 'too_short' END AS untested,
       pair.money
FROM pair
LEFT JOIN series
  ON pair.customer_key = series.customer_key AND pair.service_key = series.service_key AND pair.currency = series.currency
LEFT JOIN heard ON true
WHERE series.months IS NOT NULL OR heard.is_there IS NULL
