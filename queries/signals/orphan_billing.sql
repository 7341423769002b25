-- signal: orphan_billing
-- title: Billed with no contract behind it
-- question: Which recurring charges have no PSA contract line, or none any more?
-- family: seam
-- basis: overbilling
-- precedence: 90
-- grain: customer x service x month
-- reads: facts.fact_monthly, facts.psa_history, facts.gap_part
-- fires_when: recurring lines bill a service in a month in which no contract line or written terms were in force on any day
-- stays_silent_when: the PSA's history does not reach back to the month, a single project invoice or manual line, charges that were taken
--   back by credits or proration; a line that repeats another invoice's is duplicate_billing
-- known_false_alarms: services that are sold without ever entering the PSA
-- caused_by: contract_ended, cancelled, delivery_ended, source_migration, first_record
-- action: stop the charge or enter the contract; return what was charged without one
-- explanation: {customer} is billed {revenue} {currency} a month for {service} with no contract line in force since {first_month};
--   {overbilled} {currency} in the quarter
-- owner: billing
WITH orphan AS (
  SELECT fact.customer_key, fact.service_key, fact.currency, fact.month,
         fact.revenue + coalesce(fact.credit, 0) + coalesce(part.amount, 0) AS amount, fact.revenue, fact.billed_quantity
  FROM facts.fact_monthly AS fact
  CROSS JOIN facts.psa_history AS history
  LEFT JOIN facts.gap_part AS part
    ON fact.customer_key = part.customer_key AND fact.service_key = part.service_key AND fact.month = part.month AND fact.currency = part.currency
    AND part.cause = 'duplicate_billing'
  WHERE fact.is_billed AND NOT fact.is_contracted AND fact.month >= history.first_month
)
SELECT customer_key, service_key, currency, month, amount, revenue, billed_quantity
FROM orphan
WHERE amount >= 1
