-- fact: fact_monthly
-- grain: customer x service x service month x currency, without gaps from the pair's first to its last month
-- meaning: delivered, contracted, billed, cost, revenue and what should have been billed. A pair has one currency: that of its terms, its
--   invoices, its contract or its cost, in this order; money in another one that no rate converts stands in a row of its own
-- reads: facts.usage_month, facts.contract_month, facts.terms_month, facts.lifecycle_month, facts.billed_line, facts.fx_month
WITH delivered AS (
  SELECT customer_key, service_key, month,
         sum(CASE WHEN measure = 'flow' AND category = 'usage' THEN quantity END) AS flow,
         array_agg(named_struct('from_day', from_day, 'to_day', to_day, 'quantity', quantity))
           FILTER (WHERE measure = 'level' AND category = 'usage') AS levels,
         bool_or(category = 'trial') AS is_trial
  FROM facts.usage_month
  WHERE customer_key IS NOT NULL AND service_key IS NOT NULL
  GROUP BY customer_key, service_key, month
),
cost AS (
  SELECT customer_key, service_key, month, currency, sum(cost) AS cost
  FROM facts.usage_month
  WHERE customer_key IS NOT NULL AND service_key IS NOT NULL
  GROUP BY customer_key, service_key, month, currency
),
billed AS (
  SELECT customer_key, service_key, month, currency,
         sum(CASE WHEN kind IN ('recurring', 'usage') THEN quantity END) AS quantity,
         sum(CASE WHEN kind IN ('recurring', 'usage') THEN amount END) AS revenue,
         sum(CASE WHEN kind = 'one_off' THEN amount END) AS one_off,
         sum(CASE WHEN kind = 'credit' THEN amount END) AS credit,
         bool_or(kind IN ('recurring', 'usage')) AS is_billed
  FROM facts.billed_line
  WHERE customer_key IS NOT NULL AND service_key IS NOT NULL
  GROUP BY customer_key, service_key, month, currency
),
-- Terms alone are no activity: a price list entry does not make a customer.
active AS (
  SELECT customer_key, service_key, month FROM delivered
  UNION ALL SELECT customer_key, service_key, month FROM cost
  UNION ALL SELECT customer_key, service_key, month FROM billed
  UNION ALL SELECT customer_key, service_key, month FROM facts.contract_month
  UNION ALL SELECT customer_key, service_key, month FROM facts.lifecycle_month
),
pair AS (
  SELECT customer_key, service_key, min(month) AS first_month, max(month) AS last_month FROM active GROUP BY customer_key, service_key
),
billed_currency AS (
  SELECT customer_key, service_key, first_value(currency ORDER BY month DESC, currency) AS currency
  FROM billed WHERE is_billed GROUP BY customer_key, service_key
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
  FROM cost GROUP BY customer_key, service_key
),
money AS (
  SELECT pair.customer_key, pair.service_key, pair.first_month, pair.last_month,
         coalesce(terms.currency, billed.currency, contract.currency, cost.currency) AS main_currency
  FROM pair
  LEFT JOIN terms_currency AS terms ON pair.customer_key = terms.customer_key AND pair.service_key = terms.service_key
  LEFT JOIN billed_currency AS billed ON pair.customer_key = billed.customer_key AND pair.service_key = billed.service_key
  LEFT JOIN contract_currency AS contract ON pair.customer_key = contract.customer_key AND pair.service_key = contract.service_key
  LEFT JOIN cost_currency AS cost ON pair.customer_key = cost.customer_key AND pair.service_key = cost.service_key
),
spine AS (
  SELECT customer_key, service_key, main_currency AS currency,
         unnest(generate_series(first_month, last_month, INTERVAL '1 month')) AS month
  FROM money
),
own_cost AS (
  SELECT cost.customer_key, cost.service_key, cost.month, sum(coalesce(exact_product(cost.cost, fx.rate), cost.cost)) AS cost,
         sum(cost.cost) AS cost_original, min(cost.currency) AS cost_currency
  FROM cost
  JOIN spine ON cost.customer_key = spine.customer_key AND cost.service_key = spine.service_key AND cost.month = spine.month
  LEFT JOIN facts.fx_month AS fx
    ON cost.currency = fx.from_currency AND spine.currency = fx.to_currency AND cost.month = fx.month
  WHERE cost.currency = spine.currency OR fx.rate IS NOT NULL
  GROUP BY cost.customer_key, cost.service_key, cost.month
),
rated AS (
  SELECT spine.customer_key, spine.service_key, CAST(spine.month AS DATE) AS month, spine.currency, delivered.is_trial,
         contract.lines IS NOT NULL OR terms.terms IS NOT NULL AS is_contracted,
         delivered.flow IS NOT NULL OR delivered.levels IS NOT NULL AS is_reported,
         rate_month(CAST(spine.month AS DATE), spine.currency, delivered.flow, delivered.levels, contract.lines, terms.terms,
                    lifecycle.active, lifecycle.suspended, coalesce(lifecycle.is_complete, false)) AS rate
  FROM spine
  LEFT JOIN delivered
    ON spine.customer_key = delivered.customer_key AND spine.service_key = delivered.service_key AND spine.month = delivered.month
  LEFT JOIN facts.contract_month AS contract
    ON spine.customer_key = contract.customer_key AND spine.service_key = contract.service_key AND spine.month = contract.month
  LEFT JOIN facts.terms_month AS terms
    ON spine.customer_key = terms.customer_key AND spine.service_key = terms.service_key AND spine.month = terms.month
  LEFT JOIN facts.lifecycle_month AS lifecycle
    ON spine.customer_key = lifecycle.customer_key AND spine.service_key = lifecycle.service_key AND spine.month = lifecycle.month
)
SELECT rated.customer_key, rated.service_key, rated.month, rated.currency,
       rate['delivered'] AS delivered_quantity, rate['contracted'] AS contracted_quantity,
       rate['billable'] AS billable_quantity, rate['billable_contracted'] AS billable_contracted_quantity,
       billed.quantity AS billed_quantity,
       own_cost.cost, own_cost.cost_original, own_cost.cost_currency,
       billed.revenue, billed.one_off AS one_off_revenue, billed.credit,
       rate['expected'] AS expected_revenue, rate['expected_contracted'] AS expected_contracted_revenue,
       rate['unit_price'] AS contract_price, exact_quotient(billed.revenue, billed.quantity) AS billed_price,
       CASE WHEN rate['is_flat_fee'] THEN 'flat_fee' WHEN rate['expected'] IS NULL THEN 'unpriced' ELSE 'per_unit' END AS price_model,
       coalesce(rate['active'], rate['delivered']) AS active_subjects, rate['suspended'] AS suspended_subjects,
       rated.is_contracted, coalesce(billed.is_billed, false) AS is_billed,
       coalesce(rate['delivered'], 0) > 0 AS is_delivered,
       coalesce(rated.is_trial, false) AS is_trial, rate['is_not_billable'] AS is_not_billable
FROM rated
LEFT JOIN billed
  ON rated.customer_key = billed.customer_key AND rated.service_key = billed.service_key AND rated.month = billed.month
  AND rated.currency = billed.currency
LEFT JOIN own_cost
  ON rated.customer_key = own_cost.customer_key AND rated.service_key = own_cost.service_key AND rated.month = own_cost.month
UNION ALL
SELECT other.customer_key, other.service_key, other.month, other.currency,
       NULL, NULL, NULL, NULL, max(other.quantity), max(other.cost), max(other.cost), max(CASE WHEN other.cost IS NOT NULL THEN other.currency END),
       max(other.revenue), max(other.one_off), max(other.credit), NULL, NULL, NULL, NULL, 'unpriced', NULL, NULL,
       false, coalesce(bool_or(other.is_billed), false), false, false, false
FROM (
  SELECT billed.customer_key, billed.service_key, billed.month, billed.currency, billed.quantity, billed.revenue, billed.one_off,
         billed.credit, billed.is_billed, CAST(NULL AS DECIMAL(38, 18)) AS cost
  FROM billed
  JOIN spine ON billed.customer_key = spine.customer_key AND billed.service_key = spine.service_key AND billed.month = spine.month
  WHERE billed.currency <> spine.currency
  UNION ALL
  SELECT cost.customer_key, cost.service_key, cost.month, cost.currency, NULL, NULL, NULL, NULL, NULL, cost.cost
  FROM cost
  JOIN spine ON cost.customer_key = spine.customer_key AND cost.service_key = spine.service_key AND cost.month = spine.month
  LEFT JOIN facts.fx_month AS fx
    ON cost.currency = fx.from_currency AND spine.currency = fx.to_currency AND cost.month = fx.month
  WHERE cost.currency <> spine.currency AND fx.rate IS NULL
) AS other
GROUP BY other.customer_key, other.service_key, other.month, other.currency
