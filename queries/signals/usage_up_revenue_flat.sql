-- signal: usage_up_revenue_flat
-- title: Usage grows, revenue does not
-- question: Which customers use more and more of a service while what they pay for it stays where it was?
-- family: trend
-- basis: revenue
-- precedence: 40
-- grain: customer x service x month
-- reads: facts.trend_test, facts.trend_input
-- kernels: bh_adjust
-- fires_when: what the delivered quantity is worth (at the contract's terms; the quantity itself where no price is known) rises by what is
--   charged for it (see facts/trend_test.sql; q <= 0.05 over all tested pairs), usage rises, revenue does not, and the usage earns at least
--   3 % less of its worth than it did, at least half of it because units are not billed; or the charge has been the same to the cent for six
--   months or more, after it had followed the usage (three charges before it), while usage grew
-- stays_silent_when: free units, a minimum, commitments or tiers make it so, every unit is billed at a lower price (discount_creep,
--   arpu_decline), a fixed fee was agreed, the series is shorter than six months, the month may still be billed
-- known_false_alarms: a price of a flow (gigabytes, hours) that was cut and that no contract records
-- caused_by: contract_price_down, contract_quantity_down, renewal, provisioned, source_migration, first_record
-- action: bill the delivered quantity; replace the typed quantity by the vendor's
-- explanation: {service} usage at {customer} grew from {quantity_before} in {before} to {delivered_quantity} in {last_month}, the charge went
--   from {revenue_before} to {revenue} {currency}: at the {unit_rate} {currency} that a unit would earn, billed as before, the
--   quarter is {leakage} {currency} short
-- owner: revenue operations
WITH tested AS (
  SELECT *, bh_adjust(p_value) OVER () AS q_value
  FROM facts.trend_test WHERE measure = 'usage_per_revenue'
),
-- A charge that is the same to the cent for half a year, after it had followed the usage, was typed in and left: no statistic is needed.
charge AS (
  SELECT *, last_value(revenue) OVER (PARTITION BY customer_key, service_key, currency ORDER BY month
                                      ROWS BETWEEN UNBOUNDED PRECEDING AND UNBOUNDED FOLLOWING) AS last_revenue
  FROM facts.trend_input WHERE usage_per_revenue IS NOT NULL
),
stuck AS (
  SELECT customer_key, service_key, currency, max(CASE WHEN revenue <> last_revenue THEN month END) AS last_other_month,
         count(DISTINCT revenue) AS charges, max(month) AS last_month
  FROM charge GROUP BY customer_key, service_key, currency
),
typed AS (
  SELECT stuck.customer_key, stuck.service_key, stuck.currency
  FROM stuck
  JOIN charge
    ON stuck.customer_key = charge.customer_key AND stuck.service_key = charge.service_key AND stuck.currency = charge.currency
    AND charge.month > stuck.last_other_month
  GROUP BY stuck.customer_key, stuck.service_key, stuck.currency, stuck.charges
  HAVING count(*) >= 6 AND stuck.charges >= 4
    AND avg(CASE WHEN charge.month >= $quarter_start THEN charge.usage_worth END) > 1.03 * first_value(charge.usage_worth ORDER BY charge.month)
),
-- Where the charge has been the same for three months or more, it was left behind when it began to be, however slowly the usage grew away.
hit AS (
  SELECT tested.*, typed.customer_key IS NOT NULL AS is_typed, CAST(stuck.last_other_month + INTERVAL '1 month' AS DATE) AS typed_month,
         line['slope'] AS slope, line['slope_low'] AS slope_low, line['slope_high'] AS slope_high,
         CAST(CASE WHEN stuck.last_other_month <= stuck.last_month - INTERVAL '3 months'
                   THEN least(stuck.last_other_month, coalesce(last_month_as_high_as_before, stuck.last_other_month))
                   ELSE last_month_as_high_as_before END + INTERVAL '1 month' AS DATE) AS change_month
  FROM tested
  LEFT JOIN stuck
    ON tested.customer_key = stuck.customer_key AND tested.service_key = stuck.service_key AND tested.currency = stuck.currency
  LEFT JOIN typed
    ON tested.customer_key = typed.customer_key AND tested.service_key = typed.service_key AND tested.currency = typed.currency
  WHERE typed.customer_key IS NOT NULL
    OR (q_value <= $max_q AND moved >= 0.03 AND rising_line['slope'] > 0 AND rising['p'] <= 0.05 AND coalesce(own_moved >= 0.5 * moved, true)
        AND NOT (resting['p'] <= 0.05 AND resting_line['slope'] > 0))
),
-- A typed charge goes with the usage of the month in which it was typed, another one with that of the month before it lagged.
since AS (
  SELECT *, CASE WHEN is_typed THEN CAST(typed_month + INTERVAL '1 month' AS DATE) ELSE change_month END AS start FROM hit
),
before AS (
  SELECT hit.customer_key, hit.service_key, hit.currency,
         coalesce(first_value(input.month ORDER BY input.month DESC) FILTER (WHERE input.month < hit.start),
                  first_value(input.month ORDER BY input.month)) AS month,
         coalesce(first_value(input.delivered_quantity ORDER BY input.month DESC) FILTER (WHERE input.month < hit.start),
                  first_value(input.delivered_quantity ORDER BY input.month)) AS quantity,
         coalesce(first_value(input.revenue ORDER BY input.month DESC) FILTER (WHERE input.month < hit.start),
                  first_value(input.revenue ORDER BY input.month)) AS revenue,
         coalesce(first_value(input.delivered_quantity ORDER BY input.month DESC) FILTER (WHERE input.month < hit.start),
                  first_value(input.delivered_quantity ORDER BY input.month))
           < 0.98 * avg(CASE WHEN input.month >= $quarter_start THEN input.delivered_quantity END) AS has_grown
  FROM since AS hit
  JOIN facts.trend_input AS input
    ON hit.customer_key = input.customer_key AND hit.service_key = input.service_key AND hit.currency = input.currency
  WHERE input.usage_per_revenue IS NOT NULL
  GROUP BY hit.customer_key, hit.service_key, hit.currency
),
-- More than the terms make of the usage was never owed, whatever was charged before: the bridge explains no more either.
rated AS (
  SELECT input.*, CASE WHEN input.price_model = 'unpriced' THEN hit.level ELSE least(hit.level, CAST(1 AS DECIMAL(38, 18))) END AS level,
         CASE WHEN input.price_model = 'unpriced' THEN hit.level_low ELSE least(hit.level_low, CAST(1 AS DECIMAL(38, 18))) END AS level_low,
         CASE WHEN input.price_model = 'unpriced' THEN hit.level_high ELSE least(hit.level_high, CAST(1 AS DECIMAL(38, 18))) END AS level_high
  FROM hit
  JOIN facts.trend_input AS input
    ON hit.customer_key = input.customer_key AND hit.service_key = input.service_key AND hit.currency = input.currency
)
SELECT hit.customer_key, hit.service_key, hit.currency, input.month,
       round_money(exact_product(input.usage_worth, input.level) - input.usage_charge, hit.currency) AS amount,
       round_money(exact_product(input.usage_worth, input.level_low) - input.usage_charge, hit.currency) AS amount_low,
       round_money(exact_product(input.usage_worth, input.level_high) - input.usage_charge, hit.currency) AS amount_high,
       hit.p_value, hit.q_value, hit.slope, hit.slope_low, hit.slope_high, hit.change_month,
       input.delivered_quantity, input.revenue, input.level, to_char(before.month, '%Y-%m') AS before, before.quantity AS quantity_before,
       before.revenue AS revenue_before,
       CAST(round(exact_quotient(exact_product(input.usage_worth, input.level), input.delivered_quantity), 4) AS DECIMAL(38, 18)) AS unit_rate
FROM hit
JOIN before ON hit.customer_key = before.customer_key AND hit.service_key = before.service_key AND hit.currency = before.currency
JOIN rated AS input
  ON hit.customer_key = input.customer_key AND hit.service_key = input.service_key AND hit.currency = input.currency
WHERE before.has_grown AND input.month >= coalesce(hit.change_month, $window_start) AND input.usage_per_revenue IS NOT NULL
  AND input.usage_charge < 0.99 * exact_product(input.usage_worth, input.level)
