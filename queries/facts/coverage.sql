-- fact: coverage
-- grain: signal
-- meaning: on how much each signal could be tested, and what was too short or lacked a source: no finding must not look like no data
-- reads: facts.fact_monthly, facts.trend_input, facts.contract_segment, facts.closed_month
WITH series AS (
  SELECT measure, count(*) AS months FROM (
    SELECT customer_key, service_key, currency, 'usage_per_revenue' AS measure FROM facts.trend_input WHERE usage_per_revenue IS NOT NULL
    UNION ALL
    SELECT customer_key, service_key, currency, 'cost_per_charge' FROM facts.trend_input WHERE cost_per_charge IS NOT NULL
    UNION ALL
    SELECT customer_key, service_key, currency, 'revenue_per_active' FROM facts.trend_input WHERE revenue_per_active IS NOT NULL
    UNION ALL
    SELECT customer_key, service_key, currency, 'billed_by_contract' FROM facts.trend_input WHERE billed_by_contract IS NOT NULL
  ) GROUP BY measure, customer_key, service_key, currency
),
trend AS (
  SELECT measure, count(*) FILTER (WHERE months >= $min_months) AS tested, count(*) FILTER (WHERE months < $min_months) AS too_short
  FROM series GROUP BY measure
),
named AS (
  SELECT 'usage_up_revenue_flat' AS signal, 'usage_per_revenue' AS measure
  UNION ALL SELECT 'cost_charge_drift', 'cost_per_charge'
  UNION ALL SELECT 'arpu_decline', 'revenue_per_active'
  UNION ALL SELECT 'discount_creep', 'billed_by_contract'
),
-- Pairs with units billed and delivered in the quarter, and on how many such months of the window that rests.
metered AS (
  SELECT fact.customer_key, fact.service_key, fact.currency, count(*) AS months
  FROM facts.fact_monthly AS fact
  JOIN facts.closed_month AS closed ON fact.customer_key = closed.customer_key AND fact.month <= closed.month
  WHERE fact.month BETWEEN $window_start AND $last_month AND fact.is_billed AND fact.is_delivered AND NOT fact.is_trial
    AND fact.billed_quantity > 0 AND fact.price_model IN ('per_unit', 'tiered', 'flat_fee_overage', 'unpriced')
  GROUP BY fact.customer_key, fact.service_key, fact.currency
  HAVING max(fact.month) >= $quarter_start
),
-- Pairs with recurring billing, and how many of the last six months they had by the end of the quarter.
recurring AS (
  SELECT customer_key, service_key, currency, count(*) FILTER (WHERE month > $last_month - INTERVAL '6 months') AS months
  FROM facts.fact_monthly
  WHERE month BETWEEN $window_start AND $last_month
  GROUP BY customer_key, service_key, currency
  HAVING bool_or(is_billed)
),
quarter AS (
  SELECT fact.*, fact.month > closed.month AS is_open
  FROM facts.fact_monthly AS fact
  JOIN facts.closed_month AS closed ON fact.customer_key = closed.customer_key
  WHERE fact.month BETWEEN $quarter_start AND $last_month
),
lines AS (SELECT count(*) AS contract_lines FROM facts.contract_segment)
SELECT named.signal, coalesce(trend.tested, 0) AS tested, coalesce(trend.too_short, 0) AS too_short,
       'series of a customer and service in the window' AS note
FROM named LEFT JOIN trend ON named.measure = trend.measure
UNION ALL
SELECT 'unbilled_delivery', count(*) FILTER (WHERE is_delivered AND NOT is_open), count(*) FILTER (WHERE is_delivered AND is_open),
       'delivered months of the quarter; "too short" are those whose billing has not run' FROM quarter
UNION ALL
SELECT 'underbilled_quantity', count(*) FILTER (WHERE is_delivered AND is_billed AND price_model IN ('per_unit', 'tiered', 'flat_fee_overage')),
       count(*) FILTER (WHERE is_delivered AND is_billed AND price_model NOT IN ('per_unit', 'tiered', 'flat_fee_overage')),
       'delivered and billed months of the quarter; "too short" are those without a unit price' FROM quarter
UNION ALL
SELECT 'psa_change_not_billed', count(*) FILTER (WHERE is_contracted AND is_billed AND price_model IN ('per_unit', 'tiered', 'flat_fee_overage')),
       count(*) FILTER (WHERE is_contracted AND NOT is_billed),
       'contracted and billed months of the quarter; "too short" are those without an invoice' FROM quarter
UNION ALL
SELECT 'orphan_billing', CASE WHEN max(contract_lines) > 0 THEN count(*) FILTER (WHERE is_billed) ELSE 0 END,
       CASE WHEN max(contract_lines) > 0 THEN 0 ELSE count(*) FILTER (WHERE is_billed) END,
       'billed months of the quarter; "too short" are all of them where no PSA export is in the lake' FROM quarter CROSS JOIN lines
UNION ALL
SELECT 'flatline_estimate', count(*) FILTER (WHERE months >= 4), count(*) FILTER (WHERE months < 4),
       'pairs with billed and delivered units in the quarter; "too short" have fewer than four such months' FROM metered
UNION ALL
SELECT 'fix_habit', count(*) FILTER (WHERE months >= 3), count(*) FILTER (WHERE months < 3),
       'pairs with recurring billing; "too short" have fewer than three of the last six months' FROM recurring
