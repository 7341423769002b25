-- signal: duplicate_billing
-- title: The same month billed twice
-- question: Which customers were invoiced for one service month more than once?
-- family: seam
-- basis: overbilling
-- precedence: 83
-- grain: customer x service x month
-- reads: facts.gap_part, facts.fact_monthly, facts.closed_month, facts.repeated_month, facts.yield_history
-- fires_when: lines with the same SKU, quantity and amount stand on more than one invoice for the same month, and more was billed than the
--   contract makes of the month, or, without a known price, than the pair's units have earned
-- stays_silent_when: both lines were due (two sites, two packs), a credit took the second one back, no price is known to tell what was due
-- known_false_alarms: a second, wanted order of the same size that the PSA does not know yet
-- caused_by: source_migration, renewal, contract_began, first_record
-- action: credit the repeated line; find out which run wrote it
-- explanation: {customer} was billed {billed} {currency} for {service} in {last_month} where {expected} {currency} were due, as a line is repeated on
--   another invoice: {overbilled} {currency} in the quarter are the customer's
-- owner: billing
WITH repeated AS (
  SELECT customer_key, service_key, currency, month, expected, billed, gap, -amount AS amount FROM facts.gap_part WHERE cause = 'duplicate_billing'
  UNION ALL
  SELECT owed.customer_key, owed.service_key, owed.currency, owed.month, owed.expected, owed.billed, owed.expected - owed.billed, repeated.repeated
  FROM facts.repeated_month AS repeated
  JOIN facts.closed_month AS closed ON repeated.customer_key = closed.customer_key AND repeated.month <= closed.month
  JOIN (
    SELECT fact.customer_key, fact.service_key, fact.currency, fact.month,
           round_money(exact_product(fact.delivered_quantity, yield.revenue_per_unit), fact.currency) AS expected,
           coalesce(fact.revenue, 0) + coalesce(fact.one_off_revenue, 0) + coalesce(fact.credit, 0) AS billed
    FROM facts.fact_monthly AS fact
    JOIN facts.yield_history AS yield
      ON fact.customer_key = yield.customer_key AND fact.service_key = yield.service_key AND fact.currency = yield.currency
    WHERE fact.expected_revenue IS NULL AND fact.is_delivered AND NOT fact.is_trial
  ) AS owed
    ON repeated.customer_key = owed.customer_key AND repeated.service_key = owed.service_key AND repeated.month = owed.month
    AND repeated.currency = owed.currency
)
-- What was credited is back with the customer.
SELECT customer_key, service_key, currency, month, least(amount, greatest(-gap, 0)) AS amount, expected, billed
FROM repeated
WHERE least(amount, greatest(-gap, 0)) >= 1
