-- signal: arpu_decline
-- title: Revenue per seat falls although the seats stay
-- question: Which customers pay less and less for each active user or seat of a service?
-- family: trend
-- basis: revenue
-- precedence: 50
-- grain: customer x service x month
-- reads: facts.trend_test, facts.trend_input
-- kernels: bh_adjust
-- fires_when: revenue by what the seats should bring at the recorded price, or by the seats where no price is recorded, falls (see
--   facts/trend_test.sql; q <= 0.05 over all tested pairs) by at least 2 %, at least half of it because a billed seat is charged less, while
--   the number of seats does not fall from then on
-- stays_silent_when: seats leave, seats are delivered but not billed (usage_up_revenue_flat and the seam signals), what is delivered is no
--   seat (gigabytes, hours), only the contract's price rose, the contract records the lower price, free units, proration and new seats
--   explain it, the series is shorter than six months
-- known_false_alarms: a price cut that was agreed and that no contract records
-- caused_by: contract_price_up, renewal, escalator, list_price_up, provisioned, source_migration, first_record
-- action: compare the invoice's unit price with the contract; end the discount
-- explanation: {customer} pays less for each seat of {service}: {seat_before} {currency} in {before}, {seat_now} {currency} in {last_month} for
--   {seats} seats. At the rate before, the quarter would have brought {leakage} {currency} more
-- owner: finance
WITH tested AS (
  SELECT *, bh_adjust(p_value) OVER () AS q_value
  FROM facts.trend_test WHERE measure = 'revenue_per_active'
),
seats AS (
  SELECT tested.customer_key, tested.service_key, tested.currency,
         min(CASE WHEN input.month = tested.last_month_as_low_as_before + INTERVAL '1 month' THEN input.seats END) AS at_first,
         avg(CASE WHEN input.month >= $quarter_start THEN input.seats END) AS now,
         coalesce(first_value(input.month ORDER BY input.month DESC) FILTER (WHERE input.month <= tested.last_month_as_low_as_before),
                  min(input.month)) AS month_before,
         avg(CASE WHEN input.month >= $quarter_start THEN exact_quotient(input.levelled_revenue, input.seats) END) AS rate_now,
         avg(CASE WHEN input.month <= tested.last_month_as_low_as_before THEN exact_quotient(input.levelled_revenue, input.seats) END)
           AS rate_before, bool_or(input.price_model <> 'unpriced') AS is_priced
  FROM tested
  JOIN facts.trend_input AS input
    ON tested.customer_key = input.customer_key AND tested.service_key = input.service_key AND tested.currency = input.currency
  WHERE tested.q_value <= $max_q AND input.revenue_per_active IS NOT NULL
  GROUP BY tested.customer_key, tested.service_key, tested.currency
),
-- More than the terms make of the seats was never owed, whatever was charged before: the bridge explains no more either.
hit AS (
  SELECT tested.* EXCEPT (level, level_low, level_high),
         CASE WHEN seats.is_priced THEN least(level, CAST(1 AS DECIMAL(38, 18))) ELSE level END AS level,
         CASE WHEN seats.is_priced THEN least(level_low, CAST(1 AS DECIMAL(38, 18))) ELSE level_low END AS level_low,
         CASE WHEN seats.is_priced THEN least(level_high, CAST(1 AS DECIMAL(38, 18))) ELSE level_high END AS level_high,
         line['slope'] AS slope, line['slope_low'] AS slope_low, line['slope_high'] AS slope_high, seats.month_before,
         CAST(last_month_as_low_as_before + INTERVAL '1 month' AS DATE) AS change_month
  FROM tested
  JOIN seats ON tested.customer_key = seats.customer_key AND tested.service_key = seats.service_key AND tested.currency = seats.currency
  WHERE q_value <= $max_q AND moved >= 0.02
    -- A charge that stays while the contract's price rises is not a lower one: a change that was not billed.
    AND coalesce(seats.rate_now < 0.995 * seats.rate_before, true)
    -- A charge for fewer seats than there are is not a lower charge for a seat.
    AND coalesce(own_moved >= 0.5 * moved, true)
    -- Seats that left before the fall began did not make it.
    AND NOT (resting['p'] <= 0.05 AND resting_line['slope'] < 0 AND coalesce(seats.now < seats.at_first, true))
)
SELECT hit.customer_key, hit.service_key, hit.currency, input.month,
       round_money(exact_product(input.seats_worth, hit.level) - input.levelled_revenue, hit.currency) AS amount,
       round_money(exact_product(input.seats_worth, hit.level_low) - input.levelled_revenue, hit.currency) AS amount_low,
       round_money(exact_product(input.seats_worth, hit.level_high) - input.levelled_revenue, hit.currency) AS amount_high,
       hit.p_value, hit.q_value, hit.slope, hit.slope_low, hit.slope_high, hit.change_month,
       input.revenue, CAST(round(input.seats, 2) AS DECIMAL(38, 18)) AS seats, to_char(hit.month_before, '%Y-%m') AS before,
       round_money(exact_quotient(prior.levelled_revenue, prior.seats), hit.currency) AS seat_before,
       round_money(exact_quotient(input.levelled_revenue, input.seats), hit.currency) AS seat_now
FROM hit
JOIN facts.trend_input AS input
  ON hit.customer_key = input.customer_key AND hit.service_key = input.service_key AND hit.currency = input.currency
LEFT JOIN facts.trend_input AS prior
  ON hit.customer_key = prior.customer_key AND hit.service_key = prior.service_key AND hit.currency = prior.currency
  AND hit.month_before = prior.month
WHERE input.month >= hit.change_month AND input.revenue_per_active IS NOT NULL
  AND input.levelled_revenue < 0.99 * exact_product(input.seats_worth, hit.level)
