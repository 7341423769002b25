-- signal: usage_up_revenue_flat
-- title: Usage grows, revenue does not
-- question: Which customers use more and more of a service while what they pay for it stays where it was?
-- family: trend
-- basis: revenue
-- precedence: 40
-- grain: customer x service x month
-- reads: facts.trend_test, facts.trend_input
-- kernels: mann_kendall, theil_sen, bh_adjust
-- fires_when: delivered quantity by revenue rises (Mann-Kendall, q <= 0.05 over all tested pairs), usage rises, revenue does not, and
--   a delivered unit earns at least 3 % less than it did
-- stays_silent_when: a contract price says what the usage is worth (then the seam signals judge it), a fixed fee was agreed, the series
--   is shorter than six months, the month may still be billed
-- known_false_alarms: a price cut that no contract records
-- action: bill the delivered quantity; replace the typed quantity by the vendor's
-- explanation: {service} usage at {customer} grew to {delivered_quantity} a month while the charge stayed at {revenue} {currency};
--   at the {level} {currency} a unit earned before, {months} months of the quarter are {leakage} {currency} short
-- owner: revenue operations
WITH tested AS (
  SELECT *, trend['p'] AS p_value, bh_adjust(trend['p']) OVER () AS q_value
  FROM facts.trend_test WHERE measure = 'usage_per_revenue'
),
hit AS (
  SELECT *, line['slope'] AS slope, line['slope_low'] AS slope_low, line['slope_high'] AS slope_high,
         CAST(last_month_as_high_as_before + INTERVAL '1 month' AS DATE) AS change_month
  FROM tested
  WHERE q_value <= $max_q AND line['slope'] > 0
    AND rising_line['slope'] > 0 AND rising['p'] <= 0.05
    AND NOT (resting['p'] <= 0.05 AND resting_line['slope'] > 0)
)
SELECT hit.customer_key, hit.service_key, hit.currency, input.month,
       round_money(exact_product(input.delivered_quantity, hit.level) - input.revenue, hit.currency) AS amount,
       round_money(exact_product(input.delivered_quantity, hit.level_low) - input.revenue, hit.currency) AS amount_low,
       round_money(exact_product(input.delivered_quantity, hit.level_high) - input.revenue, hit.currency) AS amount_high,
       hit.p_value, hit.q_value, hit.slope, hit.slope_low, hit.slope_high, hit.change_month,
       input.delivered_quantity, input.revenue, hit.level
FROM hit
JOIN facts.trend_input AS input
  ON hit.customer_key = input.customer_key AND hit.service_key = input.service_key AND hit.currency = input.currency
WHERE input.month >= hit.change_month AND input.usage_per_revenue IS NOT NULL
  AND input.revenue < 0.97 * exact_product(input.delivered_quantity, hit.level)
