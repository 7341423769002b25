-- signal: unbilled_delivery
-- title: Delivered, not billed
-- question: What was delivered, and paid to a vendor, with no invoice line for that service month?
-- family: seam
-- basis: revenue
-- precedence: 10
-- grain: customer x service x month
-- reads: facts.gap_part, facts.fact_monthly, facts.billed_month, facts.closed_month, facts.yield_history, facts.expired_month
-- fires_when: vendors or lifecycle events show a delivery, a price is known (contract, what a unit of the pair earned in billed months, what the
--   other customers' contracts say, and without all of these its cost),
--   and no invoice line of any kind covers the service month, or the first or last days of it, where lines cover the others
-- stays_silent_when: trial, internal use (not billable in the PSA; or of a company that the PSA has at no price, and that was never charged
--   anything: the MSP's own), free units cover all of it, a fixed fee covers the service, billing of the
--   month has not run yet; after the contract's end expired_contract_served speaks, of usage that came late late_usage_not_rebilled
-- known_false_alarms: services that the MSP gives away without saying so in the PSA
-- caused_by: contract_began, delivery_began, provisioned, renewal, source_migration, first_record
-- action: bill the months; find out why the service has no invoice line
-- explanation: {customer} was delivered {billable_quantity} of {service} in {last_month} and no invoice line covers {open}: {months} months of
--   the quarter, {leakage} {currency}
-- owner: billing
WITH open_month AS (
  SELECT fact.*
  FROM facts.fact_monthly AS fact
  JOIN facts.closed_month AS closed ON fact.customer_key = closed.customer_key AND fact.service_key = closed.service_key AND fact.month <= closed.month
  WHERE fact.is_delivered AND NOT fact.is_billed AND coalesce(fact.one_off_revenue, 0) = 0
    AND NOT fact.is_trial AND NOT fact.is_not_billable AND fact.price_model <> 'flat_fee'
),
-- What the PSA ever knew of has said something about its price, if only that there is none.
agreed AS (SELECT DISTINCT customer_key, service_key FROM facts.fact_monthly WHERE is_contracted),
-- The MSP itself stands in its PSA as a company that pays for nothing.
own AS (
  SELECT customer_key
  FROM facts.fact_monthly
  GROUP BY customer_key
  HAVING bool_or(is_contracted) AND NOT bool_or(coalesce(contract_price, 0) > 0 OR coalesce(expected_revenue, 0) > 0 OR coalesce(revenue, 0) > 0
                                               OR coalesce(one_off_revenue, 0) > 0)
),
-- A customer who was never billed has no price of his own.
usual AS (
  SELECT service_key, currency, median(contract_price) AS price
  FROM facts.fact_monthly WHERE month BETWEEN $quarter_start AND $last_month AND contract_price > 0
  GROUP BY service_key, currency
),
owed AS (
  SELECT fact.customer_key, fact.service_key, fact.currency, fact.month, part.amount, fact.billable_quantity, fact.delivered_quantity, fact.cost,
         'it' AS open
  FROM open_month AS fact
  JOIN facts.gap_part AS part
    ON fact.customer_key = part.customer_key AND fact.service_key = part.service_key AND fact.month = part.month AND fact.currency = part.currency
  WHERE part.cause = 'unbilled_delivery'
  UNION ALL
  SELECT fact.customer_key, fact.service_key, fact.currency, fact.month,
         round_money(exact_product(fact.delivered_quantity, yield.revenue_per_unit), fact.currency), fact.billable_quantity, fact.delivered_quantity,
         fact.cost, 'it'
  FROM open_month AS fact
  JOIN facts.yield_history AS yield
    ON fact.customer_key = yield.customer_key AND fact.service_key = yield.service_key AND fact.currency = yield.currency
  WHERE fact.expected_revenue IS NULL
  UNION ALL
  SELECT fact.customer_key, fact.service_key, fact.currency, fact.month,
         coalesce(round_money(exact_product(fact.delivered_quantity, usual.price), fact.currency), fact.cost), fact.billable_quantity, fact.delivered_quantity,
         fact.cost, 'it'
  FROM open_month AS fact
  LEFT JOIN usual ON fact.service_key = usual.service_key AND fact.currency = usual.currency
  LEFT JOIN facts.yield_history AS yield
    ON fact.customer_key = yield.customer_key AND fact.service_key = yield.service_key AND fact.currency = yield.currency
  LEFT JOIN agreed ON fact.customer_key = agreed.customer_key AND fact.service_key = agreed.service_key
  LEFT JOIN own ON fact.customer_key = own.customer_key
  WHERE fact.expected_revenue IS NULL AND fact.cost > 0 AND yield.customer_key IS NULL AND agreed.customer_key IS NULL AND own.customer_key IS NULL
  UNION ALL
  SELECT fact.customer_key, fact.service_key, fact.currency, fact.month, part.amount, fact.billable_quantity, fact.delivered_quantity, fact.cost,
         (CAST(line.month + INTERVAL '1 month' AS DATE) - line.month - (line.to_day - line.from_day)) || ' days of it'
  FROM facts.fact_monthly AS fact
  JOIN facts.gap_part AS part
    ON fact.customer_key = part.customer_key AND fact.service_key = part.service_key AND fact.month = part.month AND fact.currency = part.currency
  JOIN facts.billed_month AS line
    ON fact.customer_key = line.customer_key AND fact.service_key = line.service_key AND fact.month = line.month AND fact.currency = line.currency
  WHERE fact.is_billed AND NOT fact.is_not_billable AND fact.price_model <> 'flat_fee' AND part.cause = 'unbilled_delivery'
)
SELECT owed.customer_key, owed.service_key, owed.currency, owed.month, owed.amount, owed.billable_quantity, owed.delivered_quantity, owed.cost, owed.open
FROM owed
LEFT JOIN facts.expired_month AS expired
  ON owed.customer_key = expired.customer_key AND owed.service_key = expired.service_key AND owed.month = expired.month
  AND owed.currency = expired.currency
WHERE owed.amount >= 1 AND expired.month IS NULL
