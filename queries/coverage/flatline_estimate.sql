-- coverage: flatline_estimate
-- unit: customers and services with units billed in the quarter
-- grain: customer x service x currency
-- meaning: pairs with at least four billed and delivered months in the window, not counting those that a fee or a mark-up on cost prices
-- reads: facts.fact_monthly, facts.closed_month
WITH heard AS (
  SELECT DISTINCT service_key FROM facts.fact_monthly WHERE is_delivered AND month BETWEEN $quarter_start AND $last_month
),
pair AS (
  SELECT fact.customer_key, fact.service_key, fact.currency,
         sum(CASE WHEN fact.month >= $quarter_start THEN fact.revenue END) AS money,
         count(*) FILTER (WHERE fact.is_delivered AND fact.month <= closed.month) AS months
  FROM facts.fact_monthly AS fact
  JOIN facts.closed_month AS closed ON fact.customer_key = closed.customer_key AND fact.service_key = closed.service_key
  WHERE fact.month BETWEEN $window_start AND $last_month AND fact.is_billed AND NOT fact.is_trial AND fact.billed_quantity > 0
    AND fact.price_model IN ('per_unit', 'tiered', 'flat_fee_overage', 'unpriced')
  GROUP BY fact.customer_key, fact.service_key, fact.currency
  HAVING max(fact.month) >= $quarter_start
)
SELECT pair.customer_key, pair.service_key, pair.currency,
       CASE WHEN pair.months >= 4 THEN NULL
            WHEN heard.service_key IS NULL THEN 'no_delivery_source'
            ELSE 'too_short' END AS untested,
       pair.money
FROM pair
LEFT JOIN heard ON pair.service_key = heard.service_key
