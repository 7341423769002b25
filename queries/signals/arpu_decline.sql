-- signal: arpu_decline
-- title: Revenue per seat falls although the seats stay
-- question: Which customers pay less and less for each active user or seat of a service?
-- family: trend
-- basis: revenue
-- precedence: 50
-- grain: customer x service x month
-- reads: facts.trend_test, facts.trend_input
-- kernels: bh_adjust
-- fires_when: revenue by what the active seats should bring at the recorded price falls (see facts/trend_test.sql; q <= 0.05 over all tested pairs)
--   by at least 2 %, while the number of seats does not fall from then on
-- stays_silent_when: seats leave, the contract records the lower price, free units, proration and new seats explain it, the series is
--   shorter than six months
-- known_false_alarms: seats that are delivered but not billed also lower the revenue per seat; their money is counted there
-- caused_by: contract_price_up, renewal, escalator, list_price_up, provisioned, source_migration, first_record
-- action: compare the invoice's unit price with the contract; end the discount
-- explanation: {customer} has {active_subjects} active seats of {service} but pays less for each: at the rate before, the quarter would have
--   brought {leakage} {currency} more
-- owner: finance
WITH tested AS (
  SELECT *, bh_adjust(p_value) OVER () AS q_value
  FROM facts.trend_test WHERE measure = 'revenue_per_active'
),
seats AS (
  SELECT tested.customer_key, tested.service_key, tested.currency,
         min(CASE WHEN input.month = tested.last_month_as_low_as_before + INTERVAL '1 month' THEN input.active_subjects END) AS at_first,
         avg(CASE WHEN input.month >= $quarter_start THEN input.active_subjects END) AS now
  FROM tested
  JOIN facts.trend_input AS input
    ON tested.customer_key = input.customer_key AND tested.service_key = input.service_key AND tested.currency = input.currency
  WHERE tested.q_value <= $max_q
  GROUP BY tested.customer_key, tested.service_key, tested.currency
),
hit AS (
  SELECT tested.*, line['slope'] AS slope, line['slope_low'] AS slope_low, line['slope_high'] AS slope_high,
         CAST(last_month_as_low_as_before + INTERVAL '1 month' AS DATE) AS change_month
  FROM tested
  JOIN seats ON tested.customer_key = seats.customer_key AND tested.service_key = seats.service_key AND tested.currency = seats.currency
  WHERE q_value <= $max_q AND moved >= 0.02
    -- Seats that left before the fall began did not make it.
    AND NOT (resting['p'] <= 0.05 AND resting_line['slope'] < 0 AND coalesce(seats.now < seats.at_first, true))
)
SELECT hit.customer_key, hit.service_key, hit.currency, input.month,
       round_money(exact_product(input.expected_revenue, hit.level) - input.levelled_revenue, hit.currency) AS amount,
       round_money(exact_product(input.expected_revenue, hit.level_low) - input.levelled_revenue, hit.currency) AS amount_low,
       round_money(exact_product(input.expected_revenue, hit.level_high) - input.levelled_revenue, hit.currency) AS amount_high,
       hit.p_value, hit.q_value, hit.slope, hit.slope_low, hit.slope_high, hit.change_month,
       input.active_subjects, input.revenue
FROM hit
JOIN facts.trend_input AS input
  ON hit.customer_key = input.customer_key AND hit.service_key = input.service_key AND hit.currency = input.currency
WHERE input.month >= hit.change_month AND input.revenue_per_active IS NOT NULL
  AND input.levelled_revenue < 0.99 * exact_product(input.expected_revenue, hit.level)
