-- fact: pair_month
-- grain: customer x service x service month, without gaps from the pair's first to its last month
-- meaning: the spine of fact_monthly. A pair has one currency: that of its terms, its invoices, its contract or its cost, in this order
-- reads: facts.delivered_month, facts.cost_month, facts.billed_month, facts.contract_month, facts.terms_month, facts.lifecycle_month
WITH
-- Terms alone are no activity: a price list entry does not make a customer.
active AS (
  SELECT customer_key, service_key, month FROM facts.delivered_month
  UNION ALL SELECT customer_key, service_key, month FROM facts.cost_month
  UNION ALL SELECT customer_key, service_key, month FROM facts.billed_month
  UNION ALL SELECT customer_key, service_key, month FROM facts.contract_month
  UNION ALL SELECT customer_key, service_key, month FROM facts.lifecycle_month
),
pair AS (
  SELECT customer_key, service_key, min(month) AS first_month, max(month) AS last_month FROM active GROUP BY customer_key, service_key
),
billed_currency AS (
  -- Of what recurs, else of single charges.
  SELECT customer_key, service_key, first_value(currency ORDER BY is_billed DESC, month DESC, currency) AS currency
  FROM facts.billed_month GROUP BY customer_key, service_key
),
terms_currency AS (
  SELECT customer_key, service_key, first_value(currency ORDER BY month DESC, currency) AS currency
  FROM facts.terms_month GROUP BY customer_key, service_key
),
contract_currency AS (
  SELECT customer_key, service_key, first_value(currency ORDER BY month DESC, currency) AS currency
  FROM facts.contract_month WHERE currency IS NOT NULL GROUP BY customer_key, service_key
),
cost_currency AS (
  SELECT customer_key, service_key, first_value(currency ORDER BY month DESC, currency) AS currency
  FROM facts.cost_month GROUP BY customer_key, service_key
),
money AS (
  SELECT pair.customer_key, pair.service_key, pair.first_month, pair.last_month,
         coalesce(terms.currency, billed.currency, contract.currency, cost.currency) AS currency
  FROM pair
  LEFT JOIN terms_currency AS terms ON pair.customer_key = terms.customer_key AND pair.service_key = terms.service_key
  LEFT JOIN billed_currency AS billed ON pair.customer_key = billed.customer_key AND pair.service_key = billed.service_key
  LEFT JOIN contract_currency AS contract ON pair.customer_key = contract.customer_key AND pair.service_key = contract.service_key
  LEFT JOIN cost_currency AS cost ON pair.customer_key = cost.customer_key AND pair.service_key = cost.service_key
)
SELECT customer_key, service_key, currency, unnest(generate_series(first_month, last_month, INTERVAL '1 month')) AS month
FROM money
