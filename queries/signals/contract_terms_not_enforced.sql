-- signal: contract_terms_not_enforced
-- title: The terms say more than the invoice
-- question: Where were prices, minimums, tiers, fees, mark-ups or rises agreed and not charged?
-- family: seam
-- basis: revenue
-- precedence: 77
-- adds_to: unbilled_delivery, psa_change_not_billed, late_usage_not_rebilled, correction_not_passed_on, underbilled_quantity
-- grain: customer x service x month
-- reads: facts.gap_part, facts.fact_monthly
-- fires_when: the units that were billed come to less on the invoice than by the terms in force in the month, by one unit of money and half a
--   percent at least; where units have no price (fee, mark-up), the whole month does
--   Units that are owed for a minimum alone belong here too, and what was agreed and is on no invoice at all, where nobody reports deliveries
--   of the service: a fee, support, a licence without a vendor's file
-- stays_silent_when: the contract records the lower price, proration explains it, units are missing (then the signals about quantities speak)
-- known_false_alarms: a rise that was waived by word of mouth
-- caused_by: contract_price_up, escalator, renewal, contract_began, source_migration, first_record
-- action: correct price or terms on the recurring invoice; bill the difference since the terms took effect
-- explanation: By its terms ({terms}) {service} of {customer} comes to {due} {currency} in {last_month}, the invoice says {charged}: {leakage} {currency} in the quarter. Where a trend signal tells how the price came down, the money is counted there
-- owner: finance
WITH heard AS (
  SELECT DISTINCT service_key FROM facts.fact_monthly WHERE is_delivered AND month BETWEEN $quarter_start AND $last_month
)
SELECT fact.customer_key, fact.service_key, fact.currency, fact.month, part.amount, fact.contract_price, fact.billed_price, fact.billed_quantity,
       coalesce(fact.revenue, 0) + part.amount AS due, coalesce(fact.revenue, 0) AS charged,
       CASE WHEN fact.minimum_revenue > 0 THEN 'a minimum' ELSE CASE fact.price_model WHEN 'per_unit' THEN 'a price per unit' WHEN 'tiered' THEN 'tiers' WHEN 'flat_fee' THEN 'a fee'
            WHEN 'flat_fee_overage' THEN 'a fee and an overage price' WHEN 'cost_plus' THEN 'a mark-up on cost' ELSE fact.price_model END END AS terms
FROM facts.gap_part AS part
JOIN facts.fact_monthly AS fact
  ON part.customer_key = fact.customer_key AND part.service_key = fact.service_key AND part.month = fact.month AND part.currency = fact.currency
LEFT JOIN heard ON fact.service_key = heard.service_key
WHERE (part.cause = 'contract_terms_not_enforced'
       OR (part.cause = 'unbilled_commitment' AND heard.service_key IS NULL AND NOT coalesce(fact.is_not_billable, false)))
  AND part.amount >= 1 AND part.amount >= 0.005 * fact.expected_revenue
  AND fact.expected_revenue - coalesce(fact.revenue, 0) - coalesce(fact.one_off_revenue, 0) >= 1
