-- signal: correction_not_passed_on
-- title: The vendor restated, the customer was not adjusted
-- question: Which usage or cost did a vendor restate upwards after the billing cut-off, without the customer being billed for it?
-- family: seam
-- basis: revenue
-- precedence: 27
-- adds_to: psa_change_not_billed, late_usage_not_rebilled
-- grain: customer x service x month
-- reads: facts.gap_part, facts.late_month
-- fires_when: a row that was known at the cut-off reads otherwise today, or the vendor calls a later row a correction, and the month's invoices
--   to date fall short by what it makes of the contract
-- stays_silent_when: the correction was billed later, free units, a fixed fee or the PSA's commitment cover it, the amount is below one unit of
--   money, the vendor restated downwards
-- known_false_alarms: an export that was filtered when it was first taken looks like a restatement when it is taken again
-- action: bill the difference; ask the vendor why the month was restated
-- explanation: The vendor restated {service} at {customer} for {last_month} on {corrected_on}, after it was billed on {billed_on}: by the
--   contract {expected} {currency} are due, {billed} {currency} were billed; {leakage} {currency} of it come from the restatement
-- owner: billing
SELECT part.customer_key, part.service_key, part.currency, part.month, part.amount, late.billed_on, late.corrected_on, late.expected_then,
       part.expected, part.billed
FROM facts.gap_part AS part
JOIN facts.late_month AS late
  ON part.customer_key = late.customer_key AND part.service_key = late.service_key AND part.month = late.month AND part.currency = late.currency
WHERE part.cause = 'correction_not_passed_on' AND part.amount >= 1
UNION ALL
-- Without a known price the month has no cell of the bridge.
SELECT late.customer_key, late.service_key, late.currency, late.month, least(late.corrected, late.expected - late.billed - late.late), late.billed_on,
       late.corrected_on, late.expected_then, late.expected, late.billed
FROM facts.late_month AS late
WHERE late.unit_yield IS NOT NULL AND least(late.corrected, late.expected - late.billed - late.late) >= 1
