-- signal: late_usage_not_rebilled
-- title: Usage came after the invoice and was never billed
-- question: Which usage became known after its month's billing cut-off, and has not been billed since?
-- family: seam
-- basis: revenue
-- precedence: 23
-- adds_to: psa_change_not_billed
-- grain: customer x service x month
-- reads: facts.gap_part, facts.late_month
-- fires_when: usage of the month was reported for the first time after the cut-off (billing calendar, else the first invoice that covers the
--   month) and after the vendor's regular report, and the month's invoices to date fall short by what it should bring by the contract
-- stays_silent_when: the late usage was billed later, free units or a fixed fee cover it, the PSA's commitment covers it, the amount is below one
--   unit of money
-- known_false_alarms: a first report of a new export may come long after the month without being late at the vendor
-- caused_by: source_migration, first_record
-- action: bill the late usage with the next invoice; move the cut-off behind the vendor's last report
-- explanation: Usage of {service} at {customer} for {last_month} became known up to {late_on}, after the billing cut-off of {cutoff_date}, and was
--   never billed: {leakage} {currency}
-- owner: billing
SELECT part.customer_key, part.service_key, part.currency, part.month, part.amount, late.cutoff_date, late.late_on, late.expected_then,
       part.expected, part.billed
FROM facts.gap_part AS part
JOIN facts.late_month AS late
  ON part.customer_key = late.customer_key AND part.service_key = late.service_key AND part.month = late.month AND part.currency = late.currency
WHERE part.cause = 'late_usage_not_rebilled' AND part.amount >= 1
UNION ALL
-- Without a known price the month has no cell of the bridge.
SELECT late.customer_key, late.service_key, late.currency, late.month, least(late.late, late.expected - late.billed), late.cutoff_date,
       late.late_on, late.expected_then, late.expected, late.billed
FROM facts.late_month AS late
WHERE late.unit_yield IS NOT NULL AND least(late.late, late.expected - late.billed) >= 1
