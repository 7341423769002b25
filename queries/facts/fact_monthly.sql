-- fact: fact_monthly
-- grain: customer x service x service month x currency, without gaps from the pair's first to its last month
-- meaning: delivered, contracted, billed, cost, revenue and what should have been billed. A pair has one currency: that of its terms, its
--   invoices, its contract or its cost, in this order; money in another one that no rate converts stands in a row of its own. Active subjects
--   are seats, users or devices, from a list of them or the level that is delivered, never a flow (gigabytes, hours)
-- reads: facts.pair_month, facts.delivered_month, facts.cost_month, facts.billed_month, facts.contract_month, facts.terms_month,
--   facts.lifecycle_month, facts.fx_month, facts.service
WITH own_cost AS (
  SELECT cost.customer_key, cost.service_key, cost.month, sum(coalesce(exact_product(cost.cost, fx.rate), cost.cost)) AS cost,
         sum(cost.cost) AS cost_original, min(cost.currency) AS cost_currency
  FROM facts.cost_month AS cost
  JOIN facts.pair_month AS spine ON cost.customer_key = spine.customer_key AND cost.service_key = spine.service_key AND cost.month = spine.month
  LEFT JOIN facts.fx_month AS fx
    ON cost.currency = fx.from_currency AND spine.currency = fx.to_currency AND cost.month = fx.month
  WHERE cost.currency = spine.currency OR fx.rate IS NOT NULL
  GROUP BY cost.customer_key, cost.service_key, cost.month
),
rated AS (
  SELECT spine.customer_key, spine.service_key, CAST(spine.month AS DATE) AS month, spine.currency, delivered.is_trial,
         contract.lines IS NOT NULL OR terms.terms IS NOT NULL AS is_contracted,
         delivered.flow IS NOT NULL OR delivered.levels IS NOT NULL AS is_reported, delivered.flow IS NOT NULL AS has_flow,
         coalesce(service.is_volume, false) AS is_volume,
         rate_month(CAST(spine.month AS DATE), spine.currency, delivered.flow, delivered.levels, contract.lines, terms.terms,
                    lifecycle.active, lifecycle.suspended,
                    coalesce(lifecycle.is_complete, false),
                    own_cost.cost, billed.quantity) AS rate,
         own_cost.cost, own_cost.cost_original, own_cost.cost_currency,
         billed.quantity AS billed_quantity, billed.revenue, billed.one_off, billed.credit, billed.is_billed
  FROM facts.pair_month AS spine
  LEFT JOIN facts.service AS service ON spine.service_key = service.service_key
  LEFT JOIN facts.billed_month AS billed
    ON spine.customer_key = billed.customer_key AND spine.service_key = billed.service_key AND spine.month = billed.month
    AND spine.currency = billed.currency
  LEFT JOIN own_cost
    ON spine.customer_key = own_cost.customer_key AND spine.service_key = own_cost.service_key AND spine.month = own_cost.month
  LEFT JOIN facts.delivered_month AS delivered
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
       rated.billed_quantity, rated.cost, rated.cost_original, rated.cost_currency,
       rated.revenue, rated.one_off AS one_off_revenue, rated.credit,
       rate['expected'] AS expected_revenue, rate['expected_contracted'] AS expected_contracted_revenue,
       rate['expected_billed'] AS expected_billed_revenue, rate['minimum_due'] AS minimum_revenue,
       rate['unit_price'] AS contract_price, exact_quotient(rated.revenue, rated.billed_quantity) AS billed_price,
       rate['price_model'] AS price_model,
       coalesce(rate['active'], CASE WHEN NOT rated.has_flow AND NOT rated.is_volume THEN rate['delivered'] END) AS active_subjects,
       rate['suspended'] AS suspended_subjects,
       rate['reported'] AS reported_quantity, rate['suspended_charged'] AS suspended_charged_quantity,
       rated.is_contracted, coalesce(rated.is_billed, false) AS is_billed,
       coalesce(rate['delivered'], 0) > 0 AS is_delivered,
       coalesce(rated.is_trial, false) AS is_trial, rate['is_not_billable'] AS is_not_billable
FROM rated
UNION ALL
SELECT other.customer_key, other.service_key, other.month, other.currency,
       NULL, NULL, NULL, NULL, max(other.quantity), max(other.cost), max(other.cost), max(CASE WHEN other.cost IS NOT NULL THEN other.currency END),
       max(other.revenue), max(other.one_off), max(other.credit), NULL, NULL, NULL, NULL, NULL, NULL, 'unpriced', NULL, NULL, NULL, NULL,
       false, coalesce(bool_or(other.is_billed), false), false, false, false
FROM (
  SELECT billed.customer_key, billed.service_key, billed.month, billed.currency, billed.quantity, billed.revenue, billed.one_off,
         billed.credit, billed.is_billed, CAST(NULL AS DECIMAL(38, 18)) AS cost
  FROM facts.billed_month AS billed
  JOIN facts.pair_month AS spine ON billed.customer_key = spine.customer_key AND billed.service_key = spine.service_key AND billed.month = spine.month
  WHERE billed.currency <> spine.currency
  UNION ALL
  SELECT cost.customer_key, cost.service_key, cost.month, cost.currency, NULL, NULL, NULL, NULL, NULL, cost.cost
  FROM facts.cost_month AS cost
  JOIN facts.pair_month AS spine ON cost.customer_key = spine.customer_key AND cost.service_key = spine.service_key AND cost.month = spine.month
  LEFT JOIN facts.fx_month AS fx
    ON cost.currency = fx.from_currency AND spine.currency = fx.to_currency AND cost.month = fx.month
  WHERE cost.currency <> spine.currency AND fx.rate IS NULL
) AS other
GROUP BY other.customer_key, other.service_key, other.month, other.currency
