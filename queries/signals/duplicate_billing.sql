-- signal: duplicate_billing
-- title: The same month billed twice
-- question: Which customers were invoiced for one service month more than once?
-- family: seam
-- basis: overbilling
-- precedence: 83
-- grain: customer x service x month
-- reads: facts.gap_part
-- fires_when: lines with the same SKU, quantity and amount stand on more than one invoice for the same month, and more was billed than the
--   contract makes of the month
-- stays_silent_when: both lines were due (two sites, two packs), a credit took the second one back, no price is known to tell what was due
-- known_false_alarms: a second, wanted order of the same size that the PSA does not know yet
-- action: credit the repeated line; find out which run wrote it
-- explanation: {customer} was billed {billed} {currency} for {service} in {last_month} where {expected} {currency} were due, as a line is repeated on
--   another invoice: {overbilled} {currency} in the quarter are the customer's
-- owner: billing
WITH repeated AS (
  SELECT customer_key, service_key, currency, month, expected, billed, gap, -amount AS amount FROM facts.gap_part WHERE cause = 'duplicate_billing'
)
-- What was credited is back with the customer.
SELECT customer_key, service_key, currency, month, least(amount, greatest(-gap, 0)) AS amount, expected, billed
FROM repeated
WHERE least(amount, greatest(-gap, 0)) >= 1
